"""ECR as a person with podman meets it."""

import base64
import json
import os
import subprocess
import uuid

import pytest
from botocore.exceptions import ClientError


class Client:
    """podman with a login of its own."""

    def __init__(self, cloud, folder):
        self.registry = cloud.settings.registry
        self.folder = folder
        self.authfile = folder / "auth.json"
        # As the local inventory gives them to whoever builds and pushes.
        self.configuration = {
            "CONTAINERS_CONF": str(cloud.settings.home / "containers.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(cloud.settings.home / "registries.conf"),
        }

    def __call__(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["podman", *arguments],
            env={**os.environ, **self.configuration, "REGISTRY_AUTH_FILE": str(self.authfile)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def login(self, user: str, password: str) -> subprocess.CompletedProcess:
        return self(
            "login", f"--username={user}", "--password-stdin", self.registry, stdin=password
        )

    def image(self, name: str, tag: str, size: int = 1000) -> str:
        """An image with a layer of ``size`` random bytes, ready to push."""
        reference = f"{self.registry}/{name}:{tag}"
        (self.folder / "content").write_bytes(os.urandom(size))
        (self.folder / "Containerfile").write_text("FROM scratch\nCOPY content /\n")
        made = self("build", "--quiet", f"--tag={reference}", str(self.folder))
        assert made.returncode == 0, made.stderr
        return reference


@pytest.fixture
def podman(cloud, tmp_path):
    client = Client(cloud, tmp_path)
    token = cloud.client("ecr").get_authorization_token()["authorizationData"][0]
    assert token["proxyEndpoint"] == f"http://{cloud.settings.registry}"
    user, password = base64.b64decode(token["authorizationToken"]).decode().split(":")
    done = client.login(user, password)
    assert done.returncode == 0, done.stderr
    return client


@pytest.fixture
def repository(cloud, podman):
    """Makes repositories; removes them and their images afterwards."""
    ecr, made = cloud.client("ecr"), []

    def make(mutability: str = "MUTABLE") -> str:
        name = f"test/{uuid.uuid4().hex[:8]}"
        answer = ecr.create_repository(repositoryName=name, imageTagMutability=mutability)
        assert answer["repository"]["repositoryUri"] == f"{cloud.settings.registry}/{name}"
        made.append(name)
        return name

    yield make
    for name in made:
        ecr.delete_repository(repositoryName=name, force=True)
        images = podman("images", "--quiet", f"{cloud.settings.registry}/{name}").stdout.split()
        if images:
            podman("rmi", "--force", *images)


def test_push_shows_in_the_api_and_pulls_back(cloud, podman, repository):
    ecr, name = cloud.client("ecr"), repository()
    reference = podman.image(name, "one", size=50_000_000)
    pushed = podman("push", "--digestfile=/dev/stdout", reference)
    assert pushed.returncode == 0, pushed.stderr
    [image] = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert image["imageTags"] == ["one"]
    assert image["imageDigest"] == pushed.stdout.strip()
    assert image["imageSizeInBytes"] > 50_000_000
    podman("rmi", "--force", reference)
    pulled = podman("pull", "--quiet", f"{podman.registry}/{name}@{image['imageDigest']}")
    assert pulled.returncode == 0, pulled.stderr


def test_retagging_by_the_api_needs_no_push(cloud, podman, repository):
    ecr, name = cloud.client("ecr"), repository()
    podman("push", podman.image(name, "one"))
    [image] = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "one"}])["images"]
    ecr.put_image(repositoryName=name, imageManifest=image["imageManifest"], imageTag="released")
    assert podman("pull", "--quiet", f"{podman.registry}/{name}:released").returncode == 0


def test_a_moved_tag_leaves_the_old_image_untagged(cloud, podman, repository):
    ecr, name = cloud.client("ecr"), repository()
    for _ in range(2):
        assert podman("push", podman.image(name, "latest")).returncode == 0
    images = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert sorted(image.get("imageTags", []) for image in images) == [[], ["latest"]]


def test_an_immutable_tag_is_refused_in_aws_words(cloud, podman, repository):
    name = repository("IMMUTABLE")
    reference = podman.image(name, "one")
    assert podman("push", reference).returncode == 0
    for again in (reference, podman.image(name, "one")):
        refused = podman("push", again)
        assert refused.returncode != 0
        assert (
            f"The image tag 'one' already exists in the '{name}' repository and cannot be "
            "overwritten because the tag is immutable." in refused.stderr
        )
    [image] = cloud.client("ecr").describe_images(repositoryName=name)["imageDetails"]
    assert image["imageTags"] == ["one"]


def test_deleted_images_and_repositories_are_gone_from_pulls(cloud, podman, repository):
    ecr, name = cloud.client("ecr"), repository()
    reference = podman.image(name, "one")
    podman("push", reference)
    podman("rmi", "--force", reference)
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "one"}])
    gone = podman("pull", "--quiet", reference)
    assert gone.returncode != 0 and "manifest unknown" in gone.stderr
    podman("push", podman.image(name, "two"))
    with pytest.raises(ClientError, match="RepositoryNotEmptyException"):
        ecr.delete_repository(repositoryName=name)
    assert ecr.list_images(repositoryName=name)["imageIds"][0]["imageTag"] == "two"


def test_a_repository_that_the_api_does_not_have_is_refused(podman):
    refused = podman("push", podman.image("test/none", "one"))
    assert refused.returncode != 0 and "name unknown" in refused.stderr
    podman("rmi", "--force", f"{podman.registry}/test/none:one")


def test_wrong_password_and_no_password_are_refused(cloud, podman, repository):
    refused = podman.login("AWS", "wrong")
    assert refused.returncode != 0 and "invalid username/password" in refused.stderr
    reference = podman.image(repository(), "one")
    podman.authfile.write_text(json.dumps({}))
    assert podman("push", reference).returncode != 0
