"""What has been broken, in a file that outlives the process that broke it."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from drydock.errors import DrydockError
from drydock.podman import Part


@dataclass
class Hit:
    """A part as the fault found it.

    Attributes:
        pid: of its first process: another one means that the part has been replaced, and
            what was done to its network or processor is gone with the old one.
        left: whether what the fault had brought there has been cleared up behind it.
    """

    name: str
    kind: str
    id: str
    pid: int
    left: bool = False


@dataclass
class Fault:
    """One fault.

    Attributes:
        target: as it was typed; ``service`` its full name if it is a service.
        since, undone: seconds since the epoch; ``undone`` None while it may still act.
        hits: the parts it was injected at.
        data: what its kind needs to undo it. No secrets.
        undo: in words, what undoing does; ``note`` what is worth knowing besides.
    """

    id: str
    kind: str
    target: str
    options: dict[str, Any]
    undo: str
    note: str = ""
    since: float = field(default_factory=time.time)
    undone: float | None = None
    service: str = ""
    hits: list[Hit] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def sticky(self) -> bool:
        return bool(self.options.get("sticky"))

    def hit(self, part: Part) -> bool:
        """Whether it was injected at this very part, not at one before it of that name."""
        return any(hit.name == part.name and hit.pid == part.pid for hit in self.hits)


class Store:
    """The file of faults. Used under its owner's lock."""

    def __init__(self, path: Path):
        self._path = path
        self.faults: list[Fault] = []
        for row in read(path):
            hits = [Hit(**hit) for hit in row.pop("hits")]
            self.faults.append(Fault(**row, hits=hits))

    def add(self, **fields: Any) -> Fault:
        """Makes a fault with the next free id. It is in the file before it is injected, so
        that one that was begun can be undone."""
        number = max((int(fault.id[1:]) for fault in self.faults), default=0) + 1
        fault = Fault(id=f"f{number}", **fields)
        self.faults.append(fault)
        self.save()
        return fault

    def get(self, identifier: str) -> Fault:
        for fault in self.faults:
            if fault.id == identifier:
                return fault
        known = ", ".join(fault.id for fault in self.faults) or "none"
        raise DrydockError(f"There is no fault {identifier}; there are: {known}.")

    def save(self) -> None:
        text = json.dumps([asdict(fault) for fault in self.faults], indent=1)
        beside = self._path.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self._path)


def read(path: Path) -> list[dict[str, Any]]:
    """The faults in a file, as plain data; none when there is no file."""
    return json.loads(path.read_text()) if path.exists() else []
