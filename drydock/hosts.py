"""A machine as a container: systemd, volumes on loop devices, and what cloud-init is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drydock import disks
from drydock.podman import Podman

KIND = "host"  # of these parts
_OPTIONS = (
    "--systemd=always",
    "--cap-add=SYS_ADMIN,NET_ADMIN,NET_RAW,SYS_PTRACE",
    "--security-opt=seccomp=unconfined",
)


@dataclass(frozen=True)
class Volume:
    """A disk besides the root's; ``device`` as the API names it, e.g. ``/dev/sdf``."""

    id: str
    device: str
    gigabytes: int


@dataclass(frozen=True)
class Machine:
    """What is started.

    Attributes:
        id: of the instance; the part's name ends with it.
        keys: public SSH keys that log in as the image's user.
    """

    id: str
    host_name: str
    keys: Sequence[str]
    volumes: Sequence[Volume]
    user_data: str = ""


def start(
    podman: Podman,
    machine: Machine,
    image: str,
    folder: Path,
    *,
    network: str | None = None,
    ip: str | None = None,
    mounts: Sequence[tuple[Path, str, str]] = (),
) -> None:
    """Starts a machine.

    Args:
        image: as :func:`drydock.images.host` names it.
        folder: where its disks and its seed lie; there already.
        mounts: further ones, as :meth:`Podman.run` takes them.

    Raises:
        DrydockError: no loop device, or podman refuses.
    """
    options = [*_OPTIONS, f"--hostname={machine.host_name}"]
    names = []
    for number, volume in enumerate(machine.volumes, start=1):
        device = disks.attach(folder / volume.id, volume.gigabytes)
        options.append(f"--device={device}")
        alias, name = volume.device.removeprefix("/dev/"), volume.id.replace("-", "")
        names.append(f"{device.removeprefix('/dev/')} nvme{number}n1 {alias} {name}")
    podman.run(
        KIND,
        machine.id,
        image,
        network=network,
        ip=ip,
        mounts=[(_seed(folder / "seed", machine), "/var/lib/cloud/seed/nocloud", "ro"), *mounts],
        environment={"HOST_DISKS": ",".join(names)},  # drydock/images/host/start reads it
        options=options,
    )


def _seed(folder: Path, machine: Machine) -> Path:
    """Writes what cloud-init reads at the first start: name, keys and user data."""
    folder.mkdir(exist_ok=True)
    told = {
        "instance-id": machine.id,
        "local-hostname": machine.host_name,
        "public-keys": list(machine.keys),
    }
    (folder / "meta-data").write_text(json.dumps(told))
    (folder / "user-data").write_text(machine.user_data)
    return folder
