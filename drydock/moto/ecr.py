"""Repositories and images as ECR's API holds them.

The API is the truth about what can be pulled: a manifest is served, and a tag resolved, only
from here, so BatchDeleteImage, DeleteRepository and a retag by PutImage take effect at once.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from moto.backends import get_backend
from moto.ecr.exceptions import ImageAlreadyExistsException
from moto.ecr.models import Image, Repository

from drydock.settings import ACCOUNT_ID

_USER = "AWS"  # ECR's only user name
_PASSWORD = secrets.token_urlsafe(48)


@dataclass(frozen=True)
class Manifest:
    """A manifest as it was pushed: exact bytes, since the digest is over them."""

    digest: str
    media_type: str
    content: bytes


class TagIsImmutable(Exception):
    """The push would give an existing tag of an IMMUTABLE repository another time."""


def credentials() -> tuple[str, str]:
    """User and password of the registry, as GetAuthorizationToken hands them out."""
    return _USER, _PASSWORD


def _repository(name: str) -> Repository | None:
    # One registry stands behind every region, so a name is looked for in each.
    for backend in list(get_backend("ecr")[ACCOUNT_ID].values()):
        if name in backend.repositories:
            return backend.repositories[name]
    return None


def exists(name: str) -> bool:
    return _repository(name) is not None


def tags(name: str) -> list[str]:
    repository = _repository(name)
    return sorted(tag for image in repository.images for tag in image.image_tags)


def manifest(name: str, reference: str) -> Manifest | None:
    """The manifest that a tag or digest names; None when the API knows no such image."""
    repository = _repository(name)
    for image in list(repository.images) if repository else []:
        if reference == image.image_digest or reference in image.image_tags:
            return Manifest(
                image.image_digest, image.image_manifest_media_type, image.image_manifest.encode()
            )
    return None


def check_push(name: str, tag: str | None) -> None:
    """Refuses a tag that may not be pushed.

    AWS refuses even the very same digest (aws/containers-roadmap#2179).

    Raises:
        TagIsImmutable: the tag exists and the repository (less its exclusions) is immutable.
    """
    if tag is None:
        return
    repository = _repository(name)
    backend = get_backend("ecr")[ACCOUNT_ID][repository.region_name]
    try:
        backend._resolve_image_tag_mutability(repository, tag)
    except ImageAlreadyExistsException:
        raise TagIsImmutable from None


def register(name: str, tag: str | None, content: bytes, media_type: str) -> None:
    """Makes a pushed image known to the API; an image that loses its tag stays, untagged."""
    repository = _repository(name)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    for other in repository.images:
        if tag in other.image_tags:
            other.remove_tag(tag)
            other.image_tag = other.image_tags[-1] if other.image_tags else None
    image = next((i for i in repository.images if i.image_digest == digest), None)
    if image is None:
        image = _PushedImage(ACCOUNT_ID, tag, content.decode(), name, media_type, digest)
        repository.images.append(image)
    elif tag:
        image.update_tag(tag)


class _PushedImage(Image):
    def get_image_size_in_bytes(self) -> int | None:
        """Compressed bytes, as AWS counts: configuration and layers."""
        manifest: dict[str, Any] = json.loads(self.image_manifest)
        parts = [manifest.get("config", {}), *manifest.get("layers", [])]
        return sum(part.get("size", 0) for part in parts) or None
