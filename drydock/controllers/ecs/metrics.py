"""ECS's metrics: what each service's tasks use, and how many there are of them."""

import time
from collections.abc import Mapping
from typing import Any

from drydock.controller import Cloud, Controller
from drydock.controllers.ecs.model import Service, Task, count
from drydock.controllers.ecs.registry import Registry
from drydock.moto import ecs

_MOST_SECONDS = 2.0  # between two publications, so that no period closes half filled


class EcsMeter(Controller):
    """Publishes ``AWS/ECS`` and, where a cluster has it on, ``ECS/ContainerInsights``.

    Args:
        registry: the ECS controller's services and tasks.
    """

    name = "ecs-metrics"

    def __init__(self, cloud: Cloud, registry: Registry):
        super().__init__(cloud)
        self.interval = min(_MOST_SECONDS, cloud.settings.scaled(60) / 5)
        self._registry = registry
        self._used: dict[str, tuple[float, float]] = {}  # task → (when, CPU seconds)
        self._due = 0.0

    def reconcile(self) -> None:
        # Whatever starts or dies wakes every controller; a tiny interval measures nothing.
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self.interval * 0.8
        with self._registry.lock:
            services = [s for s in self._registry.services.values() if s.status != "INACTIVE"]
            tasks = {service: self._registry.of(service) for service in services}
        seen = set()
        for service, own in tasks.items():
            self._counts(service, own)
            seen |= self._usage(service, [t for t in own if t.status == "RUNNING" and t.cgroup])
        self._used = {arn: used for arn, used in self._used.items() if arn in seen}

    def _counts(self, service: Service, tasks: list[Task]) -> None:
        if not ecs.has_insights(service.region, service.cluster):
            return
        running, pending = count(tasks)
        for name, value in (
            ("DesiredTaskCount", service.desired),
            ("RunningTaskCount", running),
            ("PendingTaskCount", pending),
            ("DeploymentCount", len(service.deployments)),
        ):
            self._put("ECS/ContainerInsights", service, name, value, "Count")

    def _usage(self, service: Service, tasks: list[Task]) -> set[str]:
        """Publishes one value a task; returns the tasks that were measured."""
        cpu, memory, seen = [], [], set()
        for task in tasks:
            try:
                at, used = time.monotonic(), task.cgroup.cpu_seconds()
                held = task.cgroup.memory_bytes()
            except OSError:  # it has just ended
                continue
            seen.add(task.arn)
            if task.memory:
                memory.append(100 * held / (task.memory << 20))
            before = self._used.get(task.arn)
            if before and task.cpu:
                cpu.append(100 * 1024 * (used - before[1]) / (at - before[0]) / task.cpu)
            self._used[task.arn] = (at, used)
        self._put("AWS/ECS", service, "CPUUtilization", cpu, "Percent")
        self._put("AWS/ECS", service, "MemoryUtilization", memory, "Percent")
        return seen

    def _put(self, namespace: str, service: Service, name: str, values: Any, unit: str) -> None:
        dimensions: Mapping[str, str] = {
            "ClusterName": service.cluster, "ServiceName": service.name
        }  # fmt: skip
        self.cloud.metrics.put(service.region, namespace, name, dimensions, values, unit)
