"""Breaks things on request, remembers what, and mends them again."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from drydock.controller import Cloud, Controller
from drydock.errors import DrydockError
from drydock.faults import database, kinds, relay, release
from drydock.faults.store import Fault, Store
from drydock.faults.targets import Found, Targets, some
from drydock.podman import Part

FILE = "faults.json"  # in the home folder
_KINDS = (
    kinds.Kill, kinds.Pause, kinds.Partition, relay.Slow, relay.Errors,
    database.FillConnections, database.FillDisk, release.Deploy,
)  # fmt: skip


class FaultController(Controller):
    """Answers ``drydock fault``; follows a service's new tasks with faults that stick.

    Args:
        shown: what ``drydock status`` shows.
    """

    name = "faults"

    def __init__(self, cloud: Cloud, shown: Callable[[], Mapping[str, Any]]):
        super().__init__(cloud)
        self._busy, self._stirred = threading.RLock(), True
        self._store = Store(cloud.settings.path(FILE))
        self._targets = Targets(cloud.podman, shown)
        shop = kinds.Workshop(cloud, self._targets, self._store.save)
        self._kinds = {made.name: made(shop) for made in _KINDS}
        self._throttle = kinds.Throttle(shop)

    def commands(self) -> Mapping[str, Callable[[dict[str, Any]], object]]:
        return {"fault": self.inject, "faults": self.rows, "undo": self.undo}

    def status(self) -> Mapping[str, object]:
        """Without a lock: an injection that takes its time must not hold the status up."""
        return {
            "faults": [
                {"id": fault.id, "kind": fault.kind, "target": fault.target, "since": fault.since}
                for fault in list(self._store.faults)
                if fault.undone is None
            ]
        }

    # --- commands ------------------------------------------------------------------

    def inject(self, given: dict[str, Any]) -> dict[str, Any]:
        """Injects a fault: ``{"kind", "target", "options": {…}}``; returns its row.

        Raises:
            DrydockError: no such kind or target, or it can't be injected; nothing is left.
        """
        name, target, options = given["kind"], given["target"], dict(given["options"])
        kind = self._kind(name, options)
        with self._busy:
            found = self._find(kind, target, options)
            fault = self._store.add(
                kind=name, target=target, options=options, undo=kind.undo, service=found.service
            )
            try:
                kind.begin(fault, found.parts)
            except Exception:
                self._end(fault)
                self._store.faults.remove(fault)
                self._store.save()
                raise
            self._store.save()
            self.log.info("%s: %s %s", fault.id, name, [hit.name for hit in fault.hits])
            return self._row(fault, self._parts())

    def undo(self, given: dict[str, Any]) -> dict[str, Any]:
        """Undoes ``{"id": …}``, or with ``{"all": true}`` every fault, the newest first.

        Undoing what is undone does nothing. Of several, one that can't be undone doesn't
        hold up the others.
        """
        with self._busy:
            faults = (
                [fault for fault in self._store.faults if fault.undone is None]
                if given.get("all")
                else [self._store.get(given["id"])]
            )
            failed = []
            for fault in reversed(faults):
                try:
                    self._end(fault)
                except DrydockError as error:
                    failed.append(f"{fault.id}: {error}")
            if failed:
                raise DrydockError(" ".join(failed))
            return {"undone": [fault.id for fault in faults]}

    def rows(self, _given: dict[str, Any] | None = None) -> dict[str, Any]:
        """Every fault, those that are undone too."""
        with self._busy:
            parts = self._parts() if self._store.faults else {}
            return {"faults": [self._row(fault, parts) for fault in self._store.faults]}

    def _kind(self, name: str, options: Mapping[str, Any]) -> kinds.Kind:
        if name == "slow" and options.get("cpu"):
            return self._throttle
        if name not in self._kinds:
            raise DrydockError(f"There is no fault {name}; there are: {', '.join(self._kinds)}.")
        return self._kinds[name]

    def _find(self, kind: kinds.Kind, target: str, options: Mapping[str, Any]) -> Found:
        if isinstance(kind, release.Deploy):
            return Found([])
        found = self._targets.find(target, options.get("role") or "primary")
        if options.get("sticky") and not (found.service and isinstance(kind, kinds.PartKind)):
            raise DrydockError(f"Only a fault of a service's tasks can stick; {target} is none.")
        if not found.parts and not options.get("sticky"):
            raise DrydockError(f"No task of {target} runs now.")
        much = options.get("tasks") or ("all" if options.get("sticky") else "1")
        return Found(some(found.parts, much), found.service)

    def _end(self, fault: Fault) -> None:
        if fault.undone is None:
            self._kind(fault.kind, fault.options).end(fault)
            fault.undone = time.time()
            self._store.save()
            self.log.info("%s is undone", fault.id)

    def _parts(self) -> dict[str, Part]:
        return {part.name: part for part in self.cloud.podman.parts()}

    def _row(self, fault: Fault, parts: Mapping[str, Part]) -> dict[str, Any]:
        kind = self._kind(fault.kind, fault.options)
        acts = fault.undone is None and (fault.sticky or kind.acts(fault, parts))
        return {
            "id": fault.id,
            "kind": fault.kind,
            "target": fault.target,
            "state": "undone" if fault.undone else "active" if acts else "gone",
            "since": fault.since,
            "undone": fault.undone,
            "parts": [hit.id for hit in fault.hits],
            "options": fault.options,
            "undo": fault.undo,
            "note": fault.note,
        }

    # --- the loop ------------------------------------------------------------------

    def wake(self) -> None:
        self._stirred = True
        super().wake()

    def reconcile(self) -> None:
        # Asking podman costs a tenth of a second of CPU: only when some part came or went.
        with self._busy:
            stirred, self._stirred = self._stirred, False
            live = [
                (fault, kind)
                for fault in self._store.faults
                if fault.undone is None
                and isinstance(kind := self._kind(fault.kind, fault.options), kinds.PartKind)
            ]
            parts = self._parts() if stirred and live else {}
            for fault, kind in live:
                if stirred:
                    kind.tidy(fault, parts)
                if fault.sticky:
                    self._follow(fault, kind)
            if live and stirred:
                self._store.save()

    def _follow(self, fault: Fault, kind: kinds.PartKind) -> None:
        """Goes on to the tasks that the service has started meanwhile."""
        if not self._targets.task_ids(fault.service) - {hit.id for hit in fault.hits}:
            return
        for part in self._targets.of_service(fault.service):
            if fault.hit(part):
                continue
            try:
                kind.begin(fault, [part])
            except DrydockError as error:  # it has gone meanwhile, or doesn't listen yet
                fault.hits = [hit for hit in fault.hits if hit.name != part.name]
                self.log.info("%s does not lie on %s yet: %s", fault.id, part.name, error)
        self._store.save()
