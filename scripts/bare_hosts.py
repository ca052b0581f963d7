"""Hosts as the embedded cloud's instances are, without a cloud: systemd in podman, SSH, two disks.

    python scripts/bare_hosts.py up INVENTORY RELEASES NAME=SUITE … | down

For the test and the benchmark of a role. RELEASES is mounted at /srv/releases on every host. What
runs carries the label of a home of its own below DRYDOCK_HOME, so that `make down` finds whatever
an interrupted run left; a run that lasts holds that home's lock (drydock.lifecycle.hold), or the
next cloud that comes up takes its hosts for such.
"""

import argparse
import dataclasses
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock import disks, hosts, images, lifecycle  # noqa: E402
from drydock.hosts import KIND, Machine, Volume  # noqa: E402
from drydock.podman import Podman  # noqa: E402
from drydock.settings import Settings  # noqa: E402

_DISK_GB = 2
# Disks as EC2 names them in a fleet's launch template.
_VOLUMES = tuple(
    Volume(f"vol-0000000000000000{letter}", f"/dev/{device}", _DISK_GB)
    for letter, device in (("a", "sdf"), ("b", "sdg"))
)
_SSH_SECONDS = 120


def home(name: str) -> Settings:
    """Settings of a home of its own below DRYDOCK_HOME, podman's configuration in it."""
    base = Settings.from_environment()
    settings = dataclasses.replace(base, home=base.home / name)
    lifecycle.configure_podman(settings)
    return settings


class Hosts:
    """The hosts of one home."""

    def __init__(self, settings: Settings):
        self.podman, self.folder = Podman(settings), settings.folder("hosts")
        self.key = self.folder / "key"
        # Not below home: ssh takes no socket with a path of more than about 90 characters.
        self.sockets = Path("/run") / f"drydock-ssh-{settings.tag}"

    def up(self, inventory: Path, releases: Path, wanted: Mapping[str, str]) -> None:
        """Starts hosts (name → Debian release) in the place of those before; writes the inventory.

        Raises:
            DrydockError: no image, no loop device, …
        """
        self.down()
        self.sockets.mkdir(mode=0o700)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        for name, suite in wanted.items():
            self._start(name, suite, releases)
        addresses = {name: self._address(name) for name in wanted}
        inventory.write_text(yaml.safe_dump(self._inventory(addresses)))
        for address in addresses.values():
            self._wait(address)

    def down(self) -> None:
        """Removes the hosts, their disks and the connections to them."""
        self.podman.remove(*(part.name for part in self.podman.parts()))
        disks.detach(self.folder)
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _start(self, name: str, suite: str, releases: Path) -> None:
        image = images.host(self.podman, suite, lambda text: print(text, file=sys.stderr))
        folder = self.folder / name
        folder.mkdir()
        key = self.key.with_suffix(".pub").read_text().strip()
        machine = Machine(id=name, host_name=name, keys=[key], volumes=_VOLUMES)
        hosts.start(self.podman, machine, image, folder, mounts=[(releases, "/srv/releases", "ro")])

    def _address(self, name: str) -> str:
        form = "--format={{.NetworkSettings.IPAddress}}"
        return self.podman.command(
            "inspect", form, self.podman.part_name(KIND, name)
        ).stdout.strip()

    def _ssh(self) -> list[str]:
        """Options of one connection a host, for testinfra, too, which else opens one a command."""
        return [
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s",
            "-o", f"ControlPath={self.sockets}/%h",
        ]  # fmt: skip

    def _wait(self, address: str) -> None:
        deadline = time.monotonic() + _SSH_SECONDS
        command = ["ssh", *self._ssh(), "-i", self.key, f"admin@{address}", "true"]
        # Its output is nobody's: the connection stays open behind it.
        while subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        ).returncode:
            if time.monotonic() > deadline:
                sys.exit(f"The host at {address} lets nobody in after {_SSH_SECONDS} s.")
            time.sleep(0.3)

    def _inventory(self, addresses: Mapping[str, str]) -> dict[str, Any]:
        common = {
            "ansible_user": "admin",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": " ".join(self._ssh()),
        }
        named = {name: {"ansible_host": address} for name, address in addresses.items()}
        return {"solana_rpc": {"hosts": named, "vars": common}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up")
    up.add_argument("inventory", type=Path, help="file that is written")
    up.add_argument("releases", type=Path, help="folder that every host sees as /srv/releases")
    up.add_argument("hosts", nargs="+", metavar="NAME=SUITE")
    commands.add_parser("down")
    given = parser.parse_args()
    bare = Hosts(home("role-tests"))
    if given.command == "down":
        bare.down()
    else:
        bare.up(given.inventory, given.releases, dict(one.split("=", 1) for one in given.hosts))


if __name__ == "__main__":
    main()
