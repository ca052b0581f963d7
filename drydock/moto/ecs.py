"""Clusters and task definitions as ECS's API holds them in moto.

Services and tasks are the ECS controller's own; moto is told of each service, so that tags,
the tagging API and Application Auto Scaling know it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.backends import get_backend
from moto.ecs.exceptions import ECSException
from moto.ecs.models import Cluster, Service

from drydock.settings import ACCOUNT_ID


@dataclass(frozen=True)
class Definition:
    """A revision of a task definition.

    Attributes:
        arn: with family and revision.
        containers: container definitions, in the API's shapes.
        cpu, memory: of the whole task: CPU units (1024 = one vCPU) and MiB; 0 when not given.
        task_role: ARN of the role of the running code; empty for none.
    """

    arn: str
    family: str
    active: bool
    network_mode: str
    containers: tuple[dict[str, Any], ...]
    volumes: tuple[dict[str, Any], ...]
    cpu: int
    memory: int
    tags: tuple[dict[str, str], ...] = ()
    task_role: str = ""


def _amount(text: str | None, unit: str) -> int:
    """CPU units or MiB from what the API takes: ``256``, ``.25 vCPU``, ``1GB``."""
    words = (text or "0").lower().replace(" ", "")
    if words.endswith(unit):
        return int(float(words.removesuffix(unit)) * 1024)
    return int(words)


def definition(region: str, name: str) -> Definition | None:
    """Looks a revision up by ARN, ``family:revision`` or family (its newest active one)."""
    backend = get_backend("ecs")[ACCOUNT_ID][region]
    words = name.split("/")[-1]
    if ":" not in words:
        active = [r for r, d in backend.task_definitions.get(words, {}).items()
                  if d.status == "ACTIVE"]  # fmt: skip
        words = f"{words}:{max(active, default=0)}"
    try:
        found = backend.describe_task_definition(words)
    except (ECSException, ValueError):
        return None
    return Definition(
        arn=found.arn,
        family=found.family,
        active=found.status == "ACTIVE",
        network_mode=found.network_mode or "",
        containers=tuple(found.container_definitions),
        volumes=tuple(found.volumes),
        cpu=_amount(found.cpu, "vcpu"),
        memory=_amount(found.memory, "gb"),
        tags=tuple(found.tags),
        task_role=getattr(found, "task_role_arn", None)
        or "",  # moto keeps it only where it is given
    )


def _cluster(region: str, name: str) -> Cluster | None:
    return get_backend("ecs")[ACCOUNT_ID][region].clusters.get(name)


def cluster_active(region: str, name: str) -> bool:
    cluster = _cluster(region, name)
    return cluster is not None and cluster.status == "ACTIVE"


def has_insights(region: str, name: str) -> bool:
    """Whether a cluster has Container Insights on."""
    cluster = _cluster(region, name)
    settings = (cluster and cluster.settings) or []
    return any(
        setting.get("name") == "containerInsights" and setting.get("value") != "disabled"
        for setting in settings
    )


def default_capacity_strategy(region: str, name: str) -> list[dict[str, Any]]:
    """What a service or task gets that names neither a launch type nor a provider."""
    cluster = _cluster(region, name)
    return list((cluster and cluster.default_capacity_provider_strategy) or [])


def set_counts(region: str, name: str, *, running: int, pending: int, services: int) -> None:
    """Makes DescribeClusters show these counts."""
    if cluster := _cluster(region, name):
        cluster.running_tasks_count = running
        cluster.pending_tasks_count = pending
        cluster.active_services_count = services


def publish(region: str, cluster: str, name: str, tags: list[dict[str, str]]) -> None:
    """Makes a service known to moto; from then on moto keeps its tags."""
    backend = get_backend("ecs")[ACCOUNT_ID][region]
    backend.services[f"{cluster}:{name}"] = Service(
        backend.clusters[cluster], name, 0, backend, tags=list(tags)
    )


def withdraw(region: str, cluster: str, name: str) -> None:
    get_backend("ecs")[ACCOUNT_ID][region].services.pop(f"{cluster}:{name}", None)


def tags(region: str, cluster: str, name: str) -> list[dict[str, str]]:
    """The tags of a published service as they are now."""
    known = get_backend("ecs")[ACCOUNT_ID][region].services.get(f"{cluster}:{name}")
    return list(known.tags or []) if known else []


# --- services, for other controllers ---------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """How many tasks a service is to have and has; ``deploying`` while a rollout goes on."""

    desired: int
    running: int
    deploying: bool


_read: list[Callable[[str, str, str], Counts | None]] = []
_change: list[Callable[[str, str, str, int], None]] = []


def services_from(
    read: Callable[[str, str, str], Counts | None], change: Callable[[str, str, str, int], None]
) -> None:
    """Says who knows the services: (region, cluster, name) → counts, and who changes a count."""
    _read[:], _change[:] = [read], [change]


def counts(region: str, cluster: str, name: str) -> Counts | None:
    """Of an active service; None when there is no such one."""
    return _read[0](region, cluster, name) if _read else None


def set_desired(region: str, cluster: str, name: str, count: int) -> None:
    """Changes a service's desired count as UpdateService does; ApiError when it can't be."""
    _change[0](region, cluster, name, count)
