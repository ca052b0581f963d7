"""What a kind of fault is, and the kinds that break a part itself: kill, pause, partition, CPU."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from drydock import images
from drydock.controller import Cloud
from drydock.errors import DrydockError
from drydock.faults.store import Fault, Hit
from drydock.faults.targets import Targets, addresses, in_network
from drydock.podman import Part, PodmanError

KIND = "fault"  # of parts that a fault brings
_TRIES, _BETWEEN = 20, 0.25


@dataclass
class Workshop:
    """What kinds work with.

    Attributes:
        save: writes the faults to their file.
    """

    cloud: Cloud
    targets: Targets
    save: Callable[[], None]

    def client(self, service: str) -> Any:
        """A client of the cloud's own API, for what goes the ordinary way."""
        settings = self.cloud.settings
        return boto3.client(
            service,
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id="fault",
            aws_secret_access_key="fault",  # noqa: S106 (no secret: the gateway takes any)
        )


class Kind:
    """One kind of fault.

    Attributes:
        name: as it is typed.
        undo: in words, what undoing does.
    """

    name: str
    undo: str

    def __init__(self, shop: Workshop):
        self.shop = shop

    def begin(self, fault: Fault, parts: list[Part]) -> None:
        """Injects the fault; DrydockError when it can't, and :meth:`end` is called then."""
        raise NotImplementedError

    def end(self, fault: Fault) -> None:
        """Undoes it, however far it came; safe to repeat."""
        raise NotImplementedError

    def acts(self, fault: Fault, parts: Mapping[str, Part]) -> bool:
        """Whether it still acts on something.

        Args:
            parts: all that there are, by container name.
        """
        raise NotImplementedError


class PartKind(Kind):
    """A kind that is injected at each part by itself, and so can follow a service's tasks."""

    def check(self, fault: Fault, part: Part) -> None:
        """Looks at the first part before anything is done; may fill ``fault.data``."""

    def hit(self, fault: Fault, part: Part) -> None:
        raise NotImplementedError

    def heal(self, fault: Fault, part: Part) -> None:
        raise NotImplementedError

    def left(self, fault: Fault, hit: Hit) -> None:
        """Clears up behind a part that is gone."""

    def begin(self, fault: Fault, parts: list[Part]) -> None:
        if not fault.data.get("checked") and parts:
            self.check(fault, parts[0])
            fault.data["checked"] = True
        for part in parts:
            fault.hits.append(Hit(part.name, part.kind, part.id, part.pid))
            self.shop.save()
            self.hit(fault, part)

    def end(self, fault: Fault) -> None:
        parts = {part.name: part for part in self.shop.cloud.podman.parts()}
        self.tidy(fault, parts)
        for hit in fault.hits:
            if part := _same(hit, parts):
                self.heal(fault, part)

    def tidy(self, fault: Fault, parts: Mapping[str, Part]) -> None:
        """Clears up behind parts that have gone, once."""
        for hit in fault.hits:
            if not hit.left and not _same(hit, parts):
                self.left(fault, hit)
                hit.left = True

    def acts(self, fault: Fault, parts: Mapping[str, Part]) -> bool:
        return any(_same(hit, parts) for hit in fault.hits)


def _same(hit: Hit, parts: Mapping[str, Part]) -> Part | None:
    """The very part that was hit, if it still runs."""
    part = parts.get(hit.name)
    return part if part and part.running and part.pid == hit.pid else None


class Kill(PartKind):
    name, undo = "kill", "nothing: what ran it starts it again"

    def hit(self, fault: Fault, part: Part) -> None:
        if unit := fault.options.get("unit"):
            signal_unit(self.shop, part, unit, "KILL")
        else:
            self.shop.cloud.podman.kill(part.name)

    def heal(self, fault: Fault, part: Part) -> None:
        """A kill can't be taken back."""


class Pause(PartKind):
    name, undo = "pause", "lets it go on where it stopped"

    def hit(self, fault: Fault, part: Part) -> None:
        if unit := fault.options.get("unit"):
            signal_unit(self.shop, part, unit, "STOP")
        else:
            insist(lambda: self.shop.cloud.podman.pause(part.name))

    def heal(self, fault: Fault, part: Part) -> None:
        if unit := fault.options.get("unit"):
            signal_unit(self.shop, part, unit, "CONT")
        elif part.state == "paused":
            insist(lambda: self.shop.cloud.podman.unpause(part.name))

    def acts(self, fault: Fault, parts: Mapping[str, Part]) -> bool:
        if fault.options.get("unit"):
            return super().acts(fault, parts)
        paused = {name: part for name, part in parts.items() if part.state == "paused"}
        return super().acts(fault, paused)


class Partition(PartKind):
    """Drops packets at the part's own interface, both ways; loopback stays."""

    name, undo = "partition", "lets packets through again"

    def check(self, fault: Fault, part: Part) -> None:
        if other := fault.options.get("from"):
            found = self.shop.targets.find(other, fault.options.get("from_role") or "primary").parts
            fault.data["from"] = [address for part in found for address in addresses(part)]

    def hit(self, fault: Fault, part: Part) -> None:
        others = fault.data.get("from")
        peers = f"{{ {', '.join(others)} }} " if others else ""
        rules = [
            f'iifname "eth0" {"ip saddr " + peers if peers else ""}drop',
            f'oifname "eth0" {"ip daddr " + peers if peers else ""}drop',
        ]
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority -200; {rule}; }}\n"
            for hook, rule in zip(("input", "output"), rules, strict=True)
        )
        in_network(part, "nft", "-f", "-", stdin=f"table inet {table(fault)} {{\n{chains}}}\n")

    def heal(self, fault: Fault, part: Part) -> None:
        drop_table(fault, part, "inet")


class Throttle(PartKind):
    """Caps a part's processor time."""

    name, undo = "slow", "gives it the processor back"

    def hit(self, fault: Fault, part: Part) -> None:
        podman = self.shop.cloud.podman
        # podman 5 forgets the first cap at an update, so it is written down.
        fault.data.setdefault("caps", {})[part.name] = podman.cpu_cap(part.name)
        self.shop.save()
        podman.limit_cpu(part.name, fault.options["cpu"])

    def heal(self, fault: Fault, part: Part) -> None:
        caps = fault.data.get("caps", {})
        if part.name in caps:
            self.shop.cloud.podman.limit_cpu(part.name, caps[part.name])


def signal_unit(shop: Workshop, part: Part, unit: str, signal: str) -> None:
    """Signals every process of a systemd unit of a host.

    Raises:
        DrydockError: the part is no host, has no such unit, or it doesn't run.
    """
    command = ["systemctl", "kill", f"--signal=SIG{signal}", unit]
    done = shop.cloud.podman.execute(part.name, command)
    if done.code:
        raise DrydockError(f"{unit} of {part.id}: {(done.stderr or done.stdout).strip()}")


def table(fault: Fault) -> str:
    """The name of a fault's nftables table: one for each, so that it can go as a whole."""
    return f"drydock_{fault.id}"


def drop_table(fault: Fault, part: Part, family: str) -> None:
    name = table(fault)
    if f"table {family} {name}\n" in in_network(part, "nft", "list", "tables"):
        in_network(part, "nft", "delete", "table", family, name)


def insist(act: Callable[[], None]) -> None:
    """Tries again for a few seconds: podman refuses while an exec in the part begins or ends."""
    for left in reversed(range(_TRIES)):
        try:
            return act()
        except PodmanError:
            if not left:
                raise
            time.sleep(_BETWEEN)


def sidecar(
    shop: Workshop, fault: Fault, suffix: str, program: str, *words: str, **how: object
) -> str:
    """Starts a program of ``drydock/faults/sidecars`` in a part of kind ``fault``."""
    source = Path(__file__).parent / "sidecars" / program
    how["mounts"] = [(source, "/program.py", "ro"), *how.get("mounts", ())]
    name = f"{fault.id}-{suffix}" if suffix else fault.id
    return shop.cloud.podman.run(
        KIND, name, images.PARTS, ["python3", "-u", "/program.py", *words], **how
    )


def wait(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until a condition holds; DrydockError saying what did not come about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DrydockError(f"Not within {seconds:g} s: {what}.")
        time.sleep(0.05)
