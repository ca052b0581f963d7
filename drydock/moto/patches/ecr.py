"""ECR: addresses of repositories, digests of manifests."""

import hashlib

from moto.ecr.models import Image, Repository

from drydock.settings import Settings


def apply() -> None:
    registry = Settings.from_environment().registry
    make = Repository.__init__

    def _init(self: Repository, *arguments: object, **named: object) -> None:
        make(self, *arguments, **named)
        self.uri = f"{registry}/{self.name}"

    def _digest(self: Image) -> None:
        # moto makes one up from the layers; a client compares it with the manifest's own.
        self._image_digest = f"sha256:{hashlib.sha256(self.image_manifest.encode()).hexdigest()}"

    Repository.__init__ = _init
    Image._create_digest = _digest
