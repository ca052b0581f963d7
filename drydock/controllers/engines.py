"""What databases and caches share: nodes of fixed address, brought back when they die."""

import shutil
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drydock import images
from drydock.controller import Cloud, Controller
from drydock.podman import Part

_LOOK_SECONDS = 15.0


@dataclass
class Node:
    """A server's place: its address and folder outlive its container."""

    id: str
    address: str
    network: str
    folder: Path


class EngineController(Controller):
    """Tends what the API holds of one kind of engine.

    Attributes:
        kind: of the parts.
        settled: states of the API in which nothing needs doing until something changes.
    """

    kind: str
    settled: frozenset[str]

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._nodes: dict[str, Node] = {}
        self._held: dict[str, tuple[str, int]] = {}  # of an endpoint's address: node, pid
        self._stirred = True
        self._seen: Sequence[Any] | None = None
        self._look_at = 0.0

    @abstractmethod
    def wanted(self) -> Sequence[Any]:
        """What the API holds; items have ``status`` and compare by value."""

    @abstractmethod
    def tend(self, item: Any, parts: Mapping[str, Part]) -> None:
        """Brings one item a step nearer to what the API asks for; parts by node id."""

    def unfinished(self) -> bool:
        """Whether there is something to do that the items' status doesn't tell of."""
        return False

    def wake(self) -> None:
        self._stirred = True
        super().wake()

    def reconcile(self) -> None:
        # Asking podman costs a tenth of a second of CPU: only when there is a reason to.
        items = self.wanted()
        stirred, self._stirred = self._stirred, False
        if items == self._seen and not stirred and time.monotonic() < self._look_at:
            return
        self._seen, self._look_at = None, time.monotonic() + _LOOK_SECONDS
        parts = {part.id: part for part in self.cloud.podman.parts(self.kind)} if items else {}
        first_error = None
        for item in items:
            try:
                self.tend(item, parts)
            except Exception as error:  # one that fails must not hold up the others
                first_error = first_error or error
        if first_error:
            raise first_error
        settled = not self.unfinished() and all(
            item.status in self.settled for item in self.wanted()
        )
        self.interval = 1.0 if settled else 0.3
        if settled:
            self._seen = items  # what changed meanwhile differs from it, and has its turn

    # --- nodes -------------------------------------------------------------------

    def node(self, identifier: str, subnet_id: str, *endpoints: str) -> Node:
        """The node's place, made at the first call: address, folder, certificate.

        Args:
            endpoints: addresses that the node may hold besides its own; in its certificate.
        """
        if identifier not in self._nodes:
            network = self.cloud.networks.of_subnet(subnet_id)
            address = self.cloud.networks.allocate(subnet_id)
            folder = self.cloud.settings.folder("parts", self.kind, identifier)
            self.cloud.authority.issue(folder, address, *endpoints)
            self._nodes[identifier] = Node(identifier, address, network, folder)
        return self._nodes[identifier]

    def start_node(self, node: Node, part: Part | None, command: Sequence[str]) -> bool:
        """Starts the node's container unless it runs; True when it had to."""
        if part and part.running:
            return False
        if part and part.state != "created":
            self.log.info("starting %s, found %s", part.name, part.state)
            self.cloud.podman.start(part.name)
            return True
        self.cloud.podman.remove(self.part_name(node))
        self.cloud.podman.run(
            self.kind,
            node.id,
            images.PARTS,
            command,
            network=node.network,
            ip=node.address,
            mounts=[(node.folder, "/part", "rw")],
            options=["--stop-signal=INT"],  # PostgreSQL's fast shutdown; Valkey's as TERM
        )
        return True

    def hold(
        self, address: str, node: Node, others: Iterable[Node], parts: Mapping[str, Part]
    ) -> None:
        """Sees that an endpoint's address is at one node and at none of the others.

        Safe to call at every pass: it acts when the holder is another than before, or its
        container has been started anew and has lost the address.
        """
        part = parts.get(node.id)
        if part and part.running and self._held.get(address) != (node.id, part.pid):
            running = [parts[other.id] for other in others if other.id in parts]
            self.cloud.networks.move(address, node.network, part, running)
            self._held[address] = (node.id, part.pid)

    def part_name(self, node: Node) -> str:
        return self.cloud.podman.part_name(self.kind, node.id)

    def drop_node(self, identifier: str) -> None:
        """Removes the node's container, data and address."""
        if node := self._nodes.get(identifier):
            self.cloud.podman.remove(self.part_name(node))
            shutil.rmtree(node.folder, ignore_errors=True)
            self.cloud.networks.release(node.address)
            del self._nodes[identifier]
