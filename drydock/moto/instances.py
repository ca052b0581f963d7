"""EC2 instances as the API holds them: which there are, and what their hosts are told."""

import datetime
import re
from dataclasses import dataclass, field
from typing import Any

from moto.backends import get_backend
from moto.ec2.models.instances import Instance as Held
from moto.ec2.models.instances import StateReason

from drydock.errors import ApiError
from drydock.hosts import Volume
from drydock.settings import ACCOUNT_ID

_DEBIAN = re.compile(r"debian-(\d+)-amd64-")


@dataclass(frozen=True)
class Instance:
    """An instance in a VPC's subnet.

    Attributes:
        state: pending, running, stopped, terminated …
        release: Debian's number by the image's name; empty for other images.
        address: private IPv4.
        key: name and public key of its key pair; None without one.
        group: its Auto Scaling group; empty without one.
        tags_shown: whether its metadata has them.
    """

    id: str
    region: str
    zone: str
    subnet_id: str
    vpc_id: str
    address: str
    state: str
    type: str
    image_id: str
    release: str
    key: tuple[str, str] | None
    user_data: str
    profile: str
    group: str
    tags_shown: bool
    launched: datetime.datetime
    tags: dict[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()


def _backends() -> list[tuple[str, Any]]:
    return list(get_backend("ec2")[ACCOUNT_ID].items())


def _held() -> list[tuple[str, Held]]:
    return [
        (region, instance)
        for region, backend in _backends()
        for reservation in list(backend.reservations.values())
        for instance in reservation.instances
    ]


def instances() -> list[Instance]:
    """The instances of every region that are in a subnet, terminated ones too."""
    return [_read(region, one) for region, one in _held() if one.subnet_id and one.nics]


def instance(identifier: str) -> Instance | None:
    """One of them, as it is now."""
    return next((_read(region, one) for region, one in _held() if one.id == identifier), None)


def _read(region: str, one: Held) -> Instance:
    image = one.ec2_backend.amis.get(one.image_id)
    found = _DEBIAN.match((image and image.name) or "")
    pair = one.ec2_backend.key_pairs.get(one.key_name) if one.key_name else None
    group = getattr(one, "autoscaling_group", None)
    return Instance(
        id=one.id, region=region, zone=one.availability_zone or "", subnet_id=one.subnet_id,
        vpc_id=one.vpc_id or "", address=one.private_ip_address or "", state=one.state,
        type=one.instance_type, image_id=one.image_id, release=found[1] if found else "",
        key=(pair.key_name, pair.public_key.strip()) if pair else None,
        user_data=one.user_data.decode() if one.user_data else "",
        profile=_profile(one),
        group=group.name if group else "",
        tags_shown=one.metadata_options.instance_metadata_tags == "enabled",
        launched=one.launch_time,
        tags={tag["key"]: tag["value"] for tag in one.get_tags()},
        volumes=tuple(
            Volume(disk.volume_id, device, int(disk.size))
            for device, disk in one.get_block_device_mapping
            # moto calls every root /dev/sda1 when a template names none
            if device not in (one.root_device_name, "/dev/sda1")
        ),
    )  # fmt: skip


def _profile(one: Held) -> str:
    given = one.iam_instance_profile or {}
    return given.get("Arn") or given.get("Name") or ""


def role(one: Instance) -> str | None:
    """The ARN of the role in an instance's profile; None without one."""
    name = one.profile.rpartition("/")[2]
    if not name:
        return None
    for profile in get_backend("iam")[ACCOUNT_ID]["aws"].instance_profiles.values():
        if profile.name == name and profile.roles:
            return profile.roles[0].arn
    return None


def died(identifier: str, why: str) -> None:
    """Says that an instance has stopped by itself."""
    for _, one in _held():
        if one.id == identifier and one.state == "running":
            one.stop()
            one._reason = "Server.InternalError"
            one.state_reason = StateReason(f"Server.InternalError: {why}", "Server.InternalError")


def import_key(region: str, name: str, public_key: str) -> None:
    """Puts an operator's key into the account, unless a key of that name is there."""
    backend = get_backend("ec2")[ACCOUNT_ID][region]
    if name not in backend.key_pairs:
        backend.import_key_pair(name, public_key.encode(), {})


def require(identifier: str) -> Instance:
    """Raises ApiError when there is no such instance."""
    found = instance(identifier)
    if found is None:
        raise ApiError(
            "InvalidInstanceID.NotFound", f"The instance ID '{identifier}' does not exist"
        )
    return found
