"""Every service and task that the ECS controller knows."""

import threading
from collections.abc import Iterable
from typing import Any

from drydock.controllers.ecs.model import Service, Task
from drydock.moto.api import Context, Handler


class Registry:
    """Every service and task, and the lock that guards them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.services: dict[tuple[str, str, str], Service] = {}
        self.tasks: dict[str, Task] = {}

    def of(self, service: Service) -> list[Task]:
        return [task for task in self.tasks.values() if task.service is service]

    def in_cluster(self, region: str, cluster: str) -> tuple[list[Service], list[Task]]:
        """The services that are not gone, and every task."""
        return (
            [s for s in self.services.values()
             if (s.region, s.cluster) == (region, cluster) and s.status != "INACTIVE"],
            [t for t in self.tasks.values() if (t.region, t.cluster) == (region, cluster)],
        )  # fmt: skip

    def operations(self, handlers: Iterable[Handler]) -> dict[tuple[str, str], Handler]:
        """Handlers by the call that each is named after; they hold the lock while they run."""
        return {
            ("ecs", "".join(word.capitalize() for word in handler.__name__.split("_"))):
                self._guarded(handler)
            for handler in handlers
        }  # fmt: skip

    def _guarded(self, handler: Handler) -> Handler:
        def guarded(context: Context, params: dict[str, Any]) -> dict[str, Any] | None:
            with self.lock:
                return handler(context, params)

        return guarded
