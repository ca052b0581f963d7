"""One load balancer's HAProxy: its container, its files, its servers."""

import logging
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from drydock.controller import Cloud
from drydock.controllers.load_balancer import configuration as conf
from drydock.controllers.load_balancer import runtime
from drydock.controllers.load_balancer.access_log import DESCRIPTOR, FILE
from drydock.errors import DrydockError
from drydock.images import PARTS
from drydock.moto import elbv2
from drydock.moto.elbv2 import LoadBalancer, Target, TargetGroup
from drydock.settings import Settings

KIND = "load-balancer"
_START_SECONDS = 15
# A new process begins its health checks anew, so reloads leave time for them.
_RELOAD_PAUSE_SECONDS = 1.5 * conf.FIRST_CHECK_SECONDS
_EXPECTED = {
    "New server registered.",
    "Server deleted.",
    # It will be tried again: a request is just ending.
    "Server still has connections attached to it, cannot remove it.",
}

Groups = Mapping[str, TargetGroup]  # by ARN
Targets = Mapping[str, Sequence[Target]]  # by their group's ARN
Rows = Mapping[tuple[str, str], runtime.Server]  # (backend, server) → entry


def _identifier(balancer_arn: str) -> str:
    return "-".join(balancer_arn.rsplit("/", 2)[1:])


def folder(settings: Settings, balancer_arn: str) -> Path:
    """Where a load balancer's files lie, and its HAProxy's sockets."""
    return settings.folder("parts", KIND, _identifier(balancer_arn))


class Proxy:
    """One load balancer's HAProxy.

    Attributes:
        address: kept here too, to be given back when the API has forgotten the balancer.
        current: whether it does what the API said when the last pass began.
    """

    def __init__(self, cloud: Cloud, balancer: LoadBalancer):
        self._cloud, self.arn, self.address = cloud, balancer.arn, balancer.address
        self.id = _identifier(balancer.arn)
        self.folder = folder(cloud.settings, balancer.arn)
        self.admin = runtime.Admin(self.folder)
        self._log = logging.getLogger(f"drydock.{KIND}")
        self._configured = self._names = ""
        self.current = False
        self._reload_after = 0.0
        self._known: frozenset[str] = frozenset()  # groups that the running processes know

    def update(self, balancer: LoadBalancer) -> bool:
        """One pass; returns whether some target is about to change state."""
        self.current = False
        groups = {arn: elbv2.target_group(arn) for arn in balancer.target_groups}
        targets = {arn: elbv2.targets(arn) for arn in groups}
        wanted = conf.render(balancer, groups, {})
        self.current = wanted == self._configured
        try:
            current, old = runtime.workers(self.admin.ask(["show proc"]))
        except OSError as error:
            self._start(balancer, groups, targets, error)
            self._configured, self._known = wanted, frozenset(groups)
            elbv2.set_state(balancer.arn, "active")
            self.current = True
            return True
        seen = {pid: self._servers(pid) for pid in (current, *old)}
        changed = wanted != self._configured
        if changed and time.monotonic() > self._reload_after:
            targets = self._observe(groups, targets, seen[current], seen.values())
            self._write(balancer, groups, targets)
            # Also when it is refused: targets must not wait for a mended rule.
            self._reload_after = time.monotonic() + _RELOAD_PAUSE_SECONDS
            self.admin.reload()
            self._configured, self._known = wanted, frozenset(groups)
            self.current = True
            return True
        self._sync(groups, targets, current, seen[current])
        self._observe(groups, targets, seen[current], seen.values())
        return changed or any(
            target.draining or target.health.state == "initial"
            for members in targets.values()
            for target in members
        )

    def remove(self) -> None:
        self._cloud.podman.remove(self._cloud.podman.part_name(KIND, self.id))
        shutil.rmtree(self.folder, ignore_errors=True)
        self._cloud.networks.release(self.address)

    def _servers(self, pid: str) -> Rows:
        return runtime.servers(self.admin.ask([f"@!{pid} show stat -1 4 -1"]))

    def _write(self, balancer: LoadBalancer, groups: Groups, targets: Targets) -> None:
        serving = {
            arn: [target for target in members if not target.draining]
            for arn, members in targets.items()
        }
        self.folder.joinpath("haproxy.cfg").write_text(conf.render(balancer, groups, serving))
        self.folder.joinpath("servers").write_text(conf.state_file(serving))
        secure = [one for one in balancer.listeners if one.protocol in ("HTTPS", "TLS")]
        names = sorted({name for listener in secure for name in listener.names})
        if secure and self._names != (key := f"tls {names}"):
            files = self._cloud.authority.issue(self.folder / "tls", self.address, *names)
            pem = self.folder / "tls.pem"
            pem.touch(mode=0o600)
            pem.write_bytes(b"".join(file.read_bytes() for file in files))
            self._names = key

    def _start(
        self, balancer: LoadBalancer, groups: Groups, targets: Targets, error: OSError
    ) -> None:
        """Runs the container, the first time or after it died.

        Raises:
            DrydockError: it runs but doesn't answer (it may be paused), or does not start.
        """
        podman = self._cloud.podman
        name = podman.part_name(KIND, self.id)
        if any(part.running for part in podman.parts(KIND) if part.name == name):
            raise DrydockError(f"{name} runs but does not answer: {error}.")
        podman.remove(name)
        self._write(balancer, groups, targets)
        for left in (runtime.SOCKET, FILE):
            self.folder.joinpath(left).unlink(missing_ok=True)
        command = f"haproxy -W -S /lb/{runtime.SOCKET} -f /lb/haproxy.cfg {DESCRIPTOR}>>/lb/{FILE}"
        podman.run(
            KIND,
            self.id,
            PARTS,
            ["sh", "-c", f"exec {command}"],
            network=self._cloud.networks.of_subnet(balancer.subnet_id),
            ip=self.address,
            mounts=[(self.folder, "/lb", "rw")],
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                runtime.workers(self.admin.ask(["show proc"]))
                return
            except OSError as reason:
                if time.monotonic() > deadline:
                    raise DrydockError(
                        f"HAProxy of {balancer.name} did not start: {reason}; "
                        f"see `podman logs {name}`."
                    ) from reason
                time.sleep(0.1)

    def _sync(self, groups: Groups, targets: Targets, pid: str, rows: Rows) -> None:
        """Adds, opens, closes and removes servers in the accepting process."""
        commands: list[str] = []
        left = dict(rows)
        for arn in self._known & targets.keys():
            backend = conf.backend_name(arn)
            for target in targets[arn]:
                names = conf.server_name(target), conf.open_name(target)
                main, spare = (left.pop((backend, name), None) for name in names)
                if target.draining:
                    commands += [
                        runtime.closing(backend, row.name)
                        for row in (main, spare)
                        if row and not row.closed
                    ]
                    if target.drained_by < time.monotonic():
                        commands += [f"shutdown sessions server {backend}/{name}" for name in names]
                    continue
                if main is None:
                    extra = conf.cookie(groups[arn], target)
                    options = conf.server_options(groups[arn]), conf.open_options(groups[arn])
                    commands += [
                        f"add server {backend}/{names[0]} {names[0]} {options[0]}{extra}",
                        f"add server {backend}/{names[1]} {names[0]} backup {options[1]}{extra}",
                    ]
                if main is None or main.closed:
                    commands += runtime.opening(backend, names[0])
                needed = target.health.state == "unhealthy"
                if spare and needed == spare.closed:
                    state = "ready" if needed else "maint"
                    commands.append(f"set server {backend}/{names[1]} state {state}")
        for row in left.values():
            if not row.backend.startswith("relay-"):
                commands += [
                    runtime.closing(row.backend, row.name),
                    f"del server {row.backend}/{row.name}",
                ]
        if commands:
            said = self.admin.ask(f"@!{pid} {command}" for command in commands)
            if surprises := {line for line in said.splitlines() if line} - _EXPECTED:
                self._log.warning("%s: HAProxy said %s", self.id, sorted(surprises))

    def _observe(
        self, groups: Groups, targets: Targets, rows: Rows, everywhere: Collection[Rows]
    ) -> Targets:
        """Writes health, and the end of draining, back; returns the targets as they are now.

        Args:
            rows: entries of the process that accepts requests.
            everywhere: entries of that and of older processes, which may have some in flight.
        """
        for arn in groups:
            backend = conf.backend_name(arn)
            for target in targets[arn]:
                names = conf.server_name(target), conf.open_name(target)
                row = rows.get((backend, names[0]))
                if not target.draining:
                    if row and not row.closed:
                        elbv2.observe(arn, target, row.health)
                    continue
                closed = all(
                    (backend, name) not in rows or rows[backend, name].closed for name in names
                )
                busy = any(
                    process[backend, name].in_flight
                    for process in everywhere
                    for name in names
                    if (backend, name) in process
                )
                if closed and (not busy or target.drained_by < time.monotonic()):
                    elbv2.observe(arn, target, None)
        return {arn: elbv2.targets(arn) for arn in groups}
