"""Faults of a part's network traffic: slow answers, errors instead of answers.

This kernel has no netem, so a relay stands in a container of its own in the part's network,
and the part's port is redirected to it. Neither the part nor its clients are asked.
"""

import contextlib
from collections.abc import Mapping

from drydock.errors import DrydockError
from drydock.faults.kinds import KIND, PartKind, drop_table, sidecar, table, wait
from drydock.faults.store import Fault, Hit
from drydock.faults.targets import addresses, in_network, listening
from drydock.moto import elbv2
from drydock.podman import Part

_PORTS = range(15000, 16000)  # of relays
_START_SECONDS = 15
# Packets of connections that were there before come to the old port still: a reset makes
# their clients come again, through the relay.
_RULES = """\
table ip {table} {{
  chain redirecting {{
    type nat hook prerouting priority -101; iifname "eth0" tcp dport {port} redirect to :{relay};
  }}
  chain resetting {{
    type filter hook input priority 0; iifname "eth0" tcp dport {port} reject with tcp reset;
  }}
}}
"""


class _Relay(PartKind):
    """A redirect to a relay."""

    def check(self, fault: Fault, part: Part) -> None:
        ports: list[int] = []

        def listens() -> bool:
            ports[:] = [port for port in listening(part) if port not in _PORTS]
            return bool(ports)

        with contextlib.suppress(DrydockError):  # said below, in other words
            wait(listens, _START_SECONDS, "it listens")  # it may have been started just now
        wanted = fault.options.get("port")
        if wanted is None and len(ports) == 1:
            [wanted] = ports
        if wanted not in ports:
            shown = ", ".join(map(str, ports)) or "no port"
            raise DrydockError(f"{part.name} listens on {shown}: choose one with --port.")
        fault.data["port"] = wanted

    def words(self, fault: Fault) -> list[str]:
        """The relay's options."""
        raise NotImplementedError

    def hit(self, fault: Fault, part: Part) -> None:
        port, relay = fault.data["port"], _PORTS[int(fault.id[1:]) % len(_PORTS)]
        if f"dport {port} redirect" in in_network(part, "nft", "list", "ruleset"):
            raise DrydockError(
                f"Another fault stands before port {port} of {part.name} already: undo it first "
                "(`python -m drydock fault list`)."
            )
        # By its path, not as container:NAME, which would keep podman from removing the part.
        network = f"--network=ns:/proc/{part.pid}/ns/net"
        words = ["--port", str(relay), *self.words(fault)]
        sidecar(self.shop, fault, part.id, "relay.py", *words, options=[network])
        wait(lambda: relay in listening(part), _START_SECONDS, "the relay listens")
        rules = _RULES.format(table=table(fault), port=port, relay=relay)
        in_network(part, "nft", "-f", "-", stdin=rules)

    def heal(self, fault: Fault, part: Part) -> None:
        drop_table(fault, part, "ip")
        self._remove(fault, part.id)

    def left(self, fault: Fault, hit: Hit) -> None:
        self._remove(fault, hit.id)

    def _remove(self, fault: Fault, part_id: str) -> None:
        podman = self.shop.cloud.podman
        podman.remove(podman.part_name(KIND, f"{fault.id}-{part_id}"))

    def acts(self, fault: Fault, parts: Mapping[str, Part]) -> bool:
        podman = self.shop.cloud.podman
        standing = {
            name: part
            for name, part in parts.items()
            if (relay := parts.get(podman.part_name(KIND, f"{fault.id}-{part.id}")))
            and relay.running
        }
        return super().acts(fault, standing)


class Slow(_Relay):
    name, undo = "slow", "takes the relay away; its connections are reset"

    def words(self, fault: Fault) -> list[str]:
        return ["--delay", str(fault.options["delay"])]


class Errors(_Relay):
    name, undo = "errors", "takes the relay away; its connections are reset"

    def check(self, fault: Fault, part: Part) -> None:
        super().check(fault, part)
        paths = fault.options.get("pass")
        if paths is None:
            mine = addresses(part)
            paths = sorted(
                {
                    elbv2.health_check(group).path
                    for group in elbv2.target_groups()
                    for target in elbv2.targets(group)
                    if target.address in mine
                }
            )
        fault.data["pass"] = [path for path in paths if path]
        if fault.data["pass"]:
            fault.note = f"passed on: {', '.join(fault.data['pass'])}"

    def words(self, fault: Fault) -> list[str]:
        given = fault.options
        words = ["--share", str(given["share"]), "--status", str(given["status"])]
        return words + [word for path in fault.data["pass"] for word in ("--pass", path)]
