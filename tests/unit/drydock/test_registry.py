"""What ECR's API takes a push for."""

import hashlib
import json
from collections.abc import Iterator

import pytest
from moto.backends import get_backend

from drydock.moto import ecr
from drydock.settings import ACCOUNT_ID

_TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def repository() -> Iterator:
    """Makes repositories in a region of the tests' own."""
    backend = get_backend("ecr")[ACCOUNT_ID]["eu-west-1"]

    def make(name: str, mutability: str = "MUTABLE") -> str:
        backend.create_repository(name, None, {}, None, mutability, [])
        return name

    yield make
    backend.repositories.clear()


def manifest(layer: int) -> bytes:
    return json.dumps({"config": {"size": 10}, "layers": [{"size": layer}]}).encode()


def test_a_push_is_found_by_tag_and_digest(repository):
    name, content = repository("a/b"), manifest(90)
    ecr.register(name, "one", content, _TYPE)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert ecr.manifest(name, "one") == ecr.manifest(name, digest)
    assert ecr.manifest(name, "one") == ecr.Manifest(digest, _TYPE, content)
    assert ecr.manifest(name, "two") is None and ecr.manifest("a", "one") is None
    [image] = get_backend("ecr")[ACCOUNT_ID]["eu-west-1"].describe_images(name)
    assert image.image_size_in_bytes == 100


def test_a_tag_moves_and_leaves_its_image(repository):
    name = repository("a")
    for layer in (1, 2):
        ecr.check_push(name, "latest")
        ecr.register(name, "latest", manifest(layer), _TYPE)
    assert ecr.manifest(name, "latest").content == manifest(2)
    images = get_backend("ecr")[ACCOUNT_ID]["eu-west-1"].describe_images(name)
    assert sorted(image.image_tags for image in images) == [[], ["latest"]]


def test_an_immutable_tag_takes_nothing_twice_but_digests_and_new_tags_pass(repository):
    name = repository("a", "IMMUTABLE")
    ecr.register(name, "one", manifest(1), _TYPE)
    with pytest.raises(ecr.TagIsImmutable):
        ecr.check_push(name, "one")
    ecr.check_push(name, "two")
    ecr.check_push(name, None)
    ecr.register(name, "two", manifest(1), _TYPE)
    assert ecr.tags(name) == ["one", "two"]
