"""The machine images of today's Debian, which moto's list of images ends before."""

from typing import Any

from moto.ec2.models import amis

_DEBIAN = "136693071363"  # the account that Debian publishes from
# Release → a day on which an image of it was published.
_RELEASES = {"12": "20250530", "13": "20250814"}


def apply() -> None:
    """Adds to the list that moto reads for every region."""
    amis.AMIS.extend(_image(release, day) for release, day in _RELEASES.items())


def _image(release: str, day: str) -> dict[str, Any]:
    return {
        "ami_id": f"ami-0deb1a000000000{release}",
        "name": f"debian-{release}-amd64-{day}-0000",
        "description": f"Debian {release}",
        "owner_id": _DEBIAN,
        "image_location": f"{_DEBIAN}/debian-{release}-amd64-{day}-0000",
        "creation_date": f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00.000Z",
        "architecture": "x86_64",
        "root_device_name": "/dev/xvda",
        "root_device_type": "ebs",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "image_type": "machine",
        "platform": None,
        "sriov": "simple",
        "public": True,
        "state": "available",
    }
