"""From load balancers in the API to HAProxy containers, and health back."""

import shutil
import time
from collections.abc import Mapping
from typing import Any

from drydock.controller import Cloud, Controller
from drydock.controllers.load_balancer import configuration as conf
from drydock.controllers.load_balancer import runtime
from drydock.errors import ApiError, DrydockError
from drydock.images import PARTS
from drydock.moto import elbv2
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.patches import elbv2 as patches

KIND = "load-balancer"
_START_SECONDS = 15
# A new process begins its health checks anew, so reloads leave time for them.
_RELOAD_PAUSE_SECONDS = 1.5 * conf.FIRST_CHECK_SECONDS


class Proxy:
    """One load balancer's HAProxy.

    Attributes:
        address: kept here too, to be given back when the API has forgotten the balancer.
    """

    def __init__(self, cloud: Cloud, balancer: elbv2.LoadBalancer):
        self._cloud, self.arn, self.address = cloud, balancer.arn, balancer.address
        self.id = "-".join(balancer.arn.rsplit("/", 2)[1:])
        self.folder = cloud.settings.folder("parts", KIND, self.id)
        self.admin = runtime.Admin(self.folder)
        self._configured = self._names = ""
        self._reload_after = 0.0

    def update(self, balancer: elbv2.LoadBalancer) -> bool:
        """One pass; returns whether some target is about to change state."""
        groups = {arn: elbv2.target_group(arn) for arn in balancer.target_groups}
        targets = {arn: elbv2.targets(arn) for arn in groups}
        wanted = conf.render(balancer, groups, {})
        try:
            current, old = runtime.workers(self.admin.ask(["show proc"]))
        except OSError as error:
            self._start(balancer, groups, targets, error)
            self._configured = wanted
            elbv2.set_state(balancer.arn, "active")
            return True
        seen = {pid: self._servers(pid) for pid in (current, *old)}
        changed = wanted != self._configured
        if changed and time.monotonic() > self._reload_after:
            targets = self._observe(groups, targets, seen[current], seen.values())
            self._write(balancer, groups, targets)
            self.admin.reload()
            self._configured = wanted
            self._reload_after = time.monotonic() + _RELOAD_PAUSE_SECONDS
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

    def _servers(self, pid: str) -> dict[tuple[str, str], runtime.Server]:
        return runtime.servers(self.admin.ask([f"@!{pid} show stat -1 4 -1"]))

    def _write(self, balancer, groups, targets) -> None:
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

    def _start(self, balancer, groups, targets, error: OSError) -> None:
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
        self.folder.joinpath(runtime.SOCKET).unlink(missing_ok=True)
        podman.run(
            KIND,
            self.id,
            PARTS,
            ["haproxy", "-W", "-S", f"/lb/{runtime.SOCKET}", "-f", "/lb/haproxy.cfg"],
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

    def _sync(self, groups, targets, pid, rows) -> None:
        """Adds, opens, closes and removes servers in the accepting process."""
        commands: list[str] = []
        left = dict(rows)
        for arn, members in targets.items():
            backend = conf.backend_name(arn)
            for target in members:
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
            self.admin.ask(f"@!{pid} {command}" for command in commands)

    def _observe(self, groups, targets, rows, everywhere) -> dict[str, list[elbv2.Target]]:
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


class LoadBalancerController(Controller):
    name = "load-balancer"

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._proxies: dict[str, Proxy] = {}
        patches.addresses_from(cloud.networks.allocate)
        elbv2.on_target_change(self.wake)

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {
            ("elbv2", "CreateListener"): self._create_listener,
            ("elbv2", "DeleteLoadBalancer"): self._delete_load_balancer,
        }

    def _create_listener(self, _context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
        if parameters.get("Protocol") in ("UDP", "TCP_UDP"):
            raise ApiError(
                "UnsupportedProtocol",
                f"The embedded cloud does not balance {parameters['Protocol']}; use TCP or TLS.",
            )
        return PASS

    def _delete_load_balancer(
        self, _context: Context, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        for balancer in elbv2.load_balancers():
            protected = balancer.attributes.get("deletion_protection.enabled") == "true"
            if balancer.arn == parameters["LoadBalancerArn"] and protected:
                raise ApiError(
                    "OperationNotPermitted",
                    f"Load balancer '{balancer.arn}' cannot be deleted because deletion "
                    "protection is enabled",
                )
        return PASS

    def reconcile(self) -> None:
        balancers = {balancer.arn: balancer for balancer in elbv2.load_balancers()}
        for arn in self._proxies.keys() - balancers.keys():
            self._proxies.pop(arn).remove()
        busy, errors = False, []
        for arn, balancer in balancers.items():
            if arn not in self._proxies:
                self._proxies[arn] = Proxy(self.cloud, balancer)
            try:
                busy |= self._proxies[arn].update(balancer)
            except (DrydockError, ApiError, OSError) as error:
                errors.append(f"{balancer.name}: {error}")
        used = {arn for balancer in balancers.values() for arn in balancer.target_groups}
        for arn in set(elbv2.target_groups()) - used:
            for target in elbv2.targets(arn):
                elbv2.observe(arn, target, None if target.draining else elbv2.NOT_IN_USE)
        # While targets come or go the next answer is wanted soon: deployments wait for it.
        self.interval = 0.1 if busy else 1.0
        if errors:
            raise DrydockError("; ".join(errors))

    def status(self) -> Mapping[str, object]:
        return {"load_balancers": [_shown(balancer) for balancer in elbv2.load_balancers()]}


def _shown(balancer: elbv2.LoadBalancer) -> dict[str, object]:
    ports = [listener.port for listener in balancer.listeners]
    plain = not ports or {80, 443} & set(ports)
    return {
        "name": balancer.name,
        "address": balancer.address if plain else f"{balancer.address}:{ports[0]}",
        "arn": balancer.arn,
        "state": balancer.state,
        "listeners": [
            {"port": listener.port, "protocol": listener.protocol}
            for listener in balancer.listeners
        ],
        "target_groups": [
            {
                "name": arn.rsplit("/", 2)[1],
                "targets": [
                    {
                        "target": f"{target.address}:{target.port}",
                        "state": target.health.state,
                        "reason": target.health.reason,
                    }
                    for target in elbv2.targets(arn)
                ],
            }
            for arn in balancer.target_groups
        ],
    }
