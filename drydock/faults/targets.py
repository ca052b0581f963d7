"""From what a person types to the parts it means."""

import json
import math
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drydock.errors import DrydockError
from drydock.podman import Part, Podman

_SHORTEST = 4  # characters of an id that may stand for it
_STORES = {"database": "databases", "cache": "caches"}  # kind of part → key of the status


@dataclass(frozen=True)
class Found:
    """Parts that a word means, all of them; ``service`` when it names one."""

    parts: list[Part]
    service: str = ""


def in_network(part: Part, *command: str, stdin: str | None = None) -> str:
    """Runs a program of this machine in a part's network; returns what it prints.

    Raises:
        DrydockError: the part doesn't run, or the program refuses.
    """
    if not part.pid:
        raise DrydockError(f"{part.name} does not run ({part.state}).")
    done = subprocess.run(
        ["nsenter", f"--target={part.pid}", "--net", *command],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DrydockError(f"{command[0]} in the network of {part.name}: {done.stderr.strip()}")
    return done.stdout


def addresses(part: Part) -> list[str]:
    """The part's own addresses, with those of endpoints that it holds now."""
    if not part.pid:
        return []
    shown = json.loads(in_network(part, "ip", "-json", "-4", "address", "show", "dev", "eth0"))
    return [row["local"] for link in shown for row in link.get("addr_info", [])]


def listening(part: Part) -> list[int]:
    """TCP ports on which the part can be reached from outside itself."""
    found = set()
    for line in in_network(part, "ss", "-Hltn").splitlines():
        host, _, port = line.split()[3].rpartition(":")
        # A task's credentials are served inside it, at a link-local address.
        if not host.startswith(("127.", "[::1]", "169.254.")):
            found.add(int(port))
    return sorted(found)


def some(parts: Sequence[Part], much: str) -> list[Part]:
    """So many of the parts: ``1``, ``50%`` (rounded up) or ``all``.

    Raises:
        DrydockError: there are not so many.
    """
    if much.endswith("%"):
        number = math.ceil(len(parts) * float(much[:-1]) / 100)
    else:
        number = len(parts) if much == "all" else int(much)
    if number > len(parts):
        raise DrydockError(f"There are {len(parts)} parts running, not {number}.")
    return list(parts[:number])


def same_name(service: str, word: str) -> bool:
    """Whether a word means a service: its name, or the end of it (the workload's name)."""
    service, word = service.replace("_", "-"), word.replace("_", "-")
    return service == word or service.endswith(f"-{word}")


class Targets:
    """Finds parts.

    Args:
        status: what ``drydock status`` shows.
    """

    def __init__(self, podman: Podman, status: Callable[[], Mapping[str, Any]]):
        self._podman, self._status = podman, status

    def find(self, word: str, role: str = "primary") -> Found:
        """The running parts that a word means.

        Args:
            role: of a database or cache: ``primary``, which holds the endpoint, or ``standby``.

        Raises:
            DrydockError: nothing, or more than one thing, is called that; or it doesn't run.
        """
        parts = [p for p in self._podman.parts() if p.kind != "fault"]
        status = self._status()
        if service := self._service(word, status):
            return Found(self._tasks(service, parts, status), service)
        for kind, key in _STORES.items():
            rows = [r for r in status.get(key, []) if word in (kind, r["id"]) and r["address"]]
            if len(rows) > 1:
                names = ", ".join(row["id"] for row in rows)
                raise DrydockError(f"There are several of {word}: name one of {names}.")
            if rows:
                return Found(self._in_role(rows[0], kind, role, parts))
        fleet = {r["id"] for r in status.get("hosts", []) if same_name(r["group"], word)}
        if hosts := [p for p in parts if p.kind == "host" and p.id in fleet and p.running]:
            return Found(sorted(hosts, key=lambda p: p.id))
        named = [p for p in parts if word in (p.id, p.name)]
        if not named and len(word) >= _SHORTEST:
            named = [p for p in parts if p.id.startswith(word) or p.id.endswith(f"-{word}")]
        of_kind = [p for p in parts if p.kind == word]
        found = [p for p in named or of_kind if p.running]
        if not found:
            raise DrydockError(self._unknown(word, bool(named or of_kind), parts, status))
        if named and len(named) > 1:
            raise DrydockError(f"{word} may be each of {', '.join(p.id for p in named)}.")
        return Found(found)

    def of_service(self, service: str) -> list[Part]:
        """The parts of a service's tasks that run now."""
        return self._tasks(service, self._podman.parts("task"), self._status())

    def task_ids(self, service: str) -> set[str]:
        """The ids of a service's tasks, without asking podman."""
        return {r["id"] for r in self._status().get("tasks", []) if r["service"] == service}

    @staticmethod
    def _service(word: str, status: Mapping[str, Any]) -> str:
        names = [row["name"] for row in status.get("services", [])]
        found = [n for n in names if n == word] or [n for n in names if same_name(n, word)]
        if len(set(found)) > 1:
            raise DrydockError(f"{word} may be each of the services {', '.join(found)}.")
        return found[0] if found else ""

    @staticmethod
    def _tasks(service: str, parts: Sequence[Part], status: Mapping[str, Any]) -> list[Part]:
        ids = {row["id"] for row in status.get("tasks", []) if row["service"] == service}
        return sorted((p for p in parts if p.id in ids and p.running), key=lambda p: p.id)

    @staticmethod
    def _in_role(row: Mapping[str, Any], kind: str, role: str, parts: Sequence[Part]) -> list[Part]:
        nodes = [p for p in parts if p.kind == kind]
        holder = next((p for p in nodes if row["address"] in addresses(p)), None)
        if holder is None:
            raise DrydockError(
                f"No part holds {row['id']}'s endpoint {row['address']} now: it is down, or in a "
                "failover. Name a part by its id: " + ", ".join(p.id for p in nodes) + "."
            )
        if role == "primary":
            return [holder]
        # Nodes of one thing share the name before their number.
        stem = holder.id.rpartition("-")[0]
        others = [
            p for p in nodes if p.running and p.id.rpartition("-")[0] == stem and p is not holder
        ]
        if not others:
            raise DrydockError(f"{row['id']} has no {role} that runs.")
        return others

    @staticmethod
    def _unknown(word: str, stopped: bool, parts: Sequence[Part], status: Mapping[str, Any]) -> str:
        if stopped:
            return f"{word} does not run now."
        services = [row["name"] for row in status.get("services", [])]
        shown = [f"services {', '.join(services)}"] if services else []
        for kind in sorted({p.kind for p in parts}):
            shown.append(f"{kind} ({', '.join(p.id for p in parts if p.kind == kind)})")
        return f"Nothing is called {word}. There are: {'; '.join(shown) or 'no parts at all'}."
