"""From instances in the API to containers with systemd, and their deaths back."""

import shutil
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from drydock import disks, hosts, images
from drydock.controller import Cloud, Controller
from drydock.controllers.hosts import metadata
from drydock.controllers.hosts.metadata import Metadata
from drydock.hosts import KIND, Machine
from drydock.moto import instances
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.instances import Instance
from drydock.moto.patches import instances as patches
from drydock.namespace import listen
from drydock.podman import Part

KEY = "drydock"
_LOOK_SECONDS = 15.0
_STOP_SECONDS = 30.0  # for a shutdown in order
_AT_ONCE = 4
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_LEAST = 4096  # a host's systemd takes some ten


class HostController(Controller):
    """Starts, stops and removes hosts. Instances of images that aren't Debian's are records."""

    name = "hosts"

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._stirred, self._look_at = True, 0.0
        self._seen: list[tuple[str, str]] = []
        self._up: dict[str, int] = {}  # of each host that was seen running, its process
        self._metadata: dict[str, Metadata] = {}
        self._busy: dict[str, Future] = {}
        self._rebooting: set[str] = set()
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="host")
        patches.addresses_from(cloud.networks.allocate)
        self._key = _key(cloud.settings.folder("ssh") / KEY)
        instances.import_key(cloud.settings.region, KEY, self._key)

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {("ec2", "RebootInstances"): self._reboot}

    def _reboot(self, _context: Context, given: dict[str, Any]) -> dict[str, Any]:
        for identifier in given["InstanceIds"]:
            if instances.require(identifier).state == "running":
                self._rebooting.add(identifier)
        self.wake()
        return PASS

    def status(self) -> Mapping[str, object]:
        return {
            "hosts": [
                {
                    "id": one.id, "address": one.address, "state": one.state,
                    "runs": one.id in self._up, "group": one.group,
                    "name": one.tags.get("Name", ""), "image": images.SUITES[one.release],
                }
                for one in self._instances()
                if one.state != "terminated"
            ]
        }  # fmt: skip

    @staticmethod
    def _instances() -> list[Instance]:
        return [one for one in instances.instances() if one.release in images.SUITES]

    # --- the loop ------------------------------------------------------------------

    def wake(self) -> None:
        self._stirred = True
        super().wake()

    def reconcile(self) -> None:
        # Asking podman costs a tenth of a second of CPU: only when there is a reason to.
        wanted = self._instances()
        seen = [(one.id, one.state) for one in wanted]
        stirred, self._stirred = self._stirred, False
        if seen == self._seen and not stirred and time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        parts = {part.id: part for part in self.cloud.podman.parts(KIND)} if wanted else {}
        known = {one.id: one for one in wanted}
        errors = [future.exception() for future in self._busy.values() if future.done()]
        self._busy = {key: one for key, one in self._busy.items() if not one.done()}
        for identifier, part in parts.items():
            if identifier not in known:
                self._begin(identifier, self._remove, identifier, part, "")
        for one in wanted:
            if one.id not in self._busy:
                self._tend(one, parts.get(one.id))
        self._seen = [] if self._busy else seen
        if error := next((error for error in errors if error), None):
            raise error

    def _tend(self, one: Instance, part: Part | None) -> None:
        if one.state == "terminated":
            if part or one.id in self._up:
                self._begin(one.id, self._remove, one.id, part, one.address)
        elif one.state == "stopped":
            if part and part.running:
                self._begin(one.id, self._stop, one.id, part)
        elif part is None or part.state == "created":
            self._begin(one.id, self._start, one)
        elif not part.running:
            self._revive(one, part)
        else:
            self._watch(one, part)

    def _watch(self, one: Instance, part: Part) -> None:
        if one.id in self._rebooting:
            self._rebooting.discard(one.id)
            self._begin(one.id, self._restart, one.id, part)
        elif self._up.get(one.id) != part.pid:
            self._serve(one.id, part)

    def _revive(self, one: Instance, part: Part) -> None:
        """A host that has ended: dead if it ran before, else started again by the API."""
        if one.id in self._up:
            self._down(one.id)
            self.log.warning("%s has ended (exit %s)", part.name, part.exit_code)
            instances.died(one.id, "the host has ended")
        else:
            self._begin(one.id, self.cloud.podman.start, part.name)

    def _begin(self, identifier: str, act: Any, *given: Any) -> None:
        """Does what takes its time beside the loop, one thing of a host at a time."""
        self._busy[identifier] = future = self._workers.submit(act, *given)
        future.add_done_callback(lambda _: self.wake())

    # --- what takes its time ---------------------------------------------------------

    def _start(self, one: Instance) -> None:
        _raise_inotify()
        image = images.host(self.cloud.podman, images.SUITES[one.release], self.log.info)
        machine = Machine(
            id=one.id,
            host_name=f"ip-{one.address.replace('.', '-')}",
            keys=[one.key[1]] if one.key else [],
            volumes=one.volumes,
            user_data=one.user_data,
        )
        hosts.start(
            self.cloud.podman,
            machine,
            image,
            self.cloud.settings.folder("parts", KIND, one.id),
            network=self.cloud.networks.of_subnet(one.subnet_id),
            ip=one.address,
        )

    def _stop(self, identifier: str, part: Part) -> None:
        self._down(identifier)
        self.cloud.podman.stop(part.name, _STOP_SECONDS)

    def _restart(self, identifier: str, part: Part) -> None:
        self._stop(identifier, part)
        self.cloud.podman.start(part.name)

    def _remove(self, identifier: str, part: Part | None, address: str) -> None:
        self._down(identifier)
        if part and part.state == "paused":
            self.cloud.podman.remove(part.name)
        elif part:
            self.cloud.podman.stop(part.name, _STOP_SECONDS)
            self.cloud.podman.remove(part.name)
        folder = self.cloud.settings.folder("parts", KIND, identifier)
        disks.detach(folder)
        shutil.rmtree(folder, ignore_errors=True)
        if address:
            self.cloud.networks.release(address)

    def _serve(self, identifier: str, part: Part) -> None:
        """Metadata for a host that has just started: its network is a new one."""
        self._down(identifier)
        socket = listen(part.pid, metadata.ADDRESS, metadata.PORT)
        self._metadata[identifier] = Metadata(socket, lambda: instances.instance(identifier))
        self._up[identifier] = part.pid

    def _down(self, identifier: str) -> None:
        self._up.pop(identifier, None)
        if service := self._metadata.pop(identifier, None):
            service.close()


def _key(path: Path) -> str:
    """The public half of the operator's key, which is made once; the other lies at ``path``."""
    if not path.exists():
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", KEY, "-f", str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.with_suffix(".pub").read_text()


def _raise_inotify() -> None:
    """Makes room for several systemds: the kernel counts root's watches of all containers."""
    if int(_INOTIFY.read_text()) < _INOTIFY_LEAST:
        _INOTIFY.write_text(str(_INOTIFY_LEAST))
