"""What ECS publishes of its services, from control groups of either version."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from drydock.cgroup import Cgroup
from drydock.controllers.ecs import metrics
from drydock.controllers.ecs.metrics import EcsMeter
from drydock.controllers.ecs.model import Deployment, Service, Task
from drydock.controllers.ecs.registry import Registry
from drydock.metrics import Metrics
from drydock.moto.ecs import Definition
from drydock.settings import Settings

MIB = 1 << 20


def files(root: Path, **contents: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (root / name.replace("__", ".")).write_text(text)


def groups(tmp_path: Path, *lines: str) -> Cgroup:
    files(tmp_path / "proc" / "7", cgroup="\n".join(lines) + "\n")
    return Cgroup.of(7, tmp_path, tmp_path / "proc")


def version_1(tmp_path: Path, cpu: str = "cpu,cpuacct") -> Cgroup:
    files(tmp_path / cpu / "pod", cpuacct__usage="2500000000\n")
    files(tmp_path / "memory" / "pod", memory__usage_in_bytes=str(90 * MIB),
          memory__stat=f"cache 5\ntotal_inactive_file {26 * MIB}\n",
          memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")  # fmt: skip
    (tmp_path / "unified" / "pod").mkdir(parents=True)  # a mixture has it, without controllers
    return groups(tmp_path, f"5:{cpu}:/pod", "4:memory:/pod", "0::/pod")


def version_2(tmp_path: Path) -> Cgroup:
    files(tmp_path / "pod", cpu__stat="usage_usec 2500000\nuser_usec 1\n",
          memory__current=str(90 * MIB), memory__stat=f"anon 1\ninactive_file {26 * MIB}\n",
          memory__events="low 0\noom 0\noom_kill 0\n")  # fmt: skip
    return groups(tmp_path, "0::/pod")


@pytest.mark.parametrize("make", [version_1, lambda at: version_1(at, "cpuacct"), version_2])
def test_both_versions_are_read(make, tmp_path):
    group = make(tmp_path)
    assert group.cpu_seconds() == 2.5
    assert group.memory_bytes() == 64 * MIB  # without what is only cached
    assert not group.killed_for_memory()
    for name in ("memory.oom_control", "memory.events"):
        if (group.memory / name).exists():
            (group.memory / name).write_text("oom_kill 1\n")
    assert group.killed_for_memory()


def test_a_process_without_limits_is_refused(tmp_path):
    with pytest.raises(OSError, match="process 7 has no CPU and memory group"):
        groups(tmp_path, "0::/")


# --- what is published ---------------------------------------------------------------------


class Used:
    """Stands for a container's groups."""

    def __init__(self, cpu: float, memory: int):
        self.cpu, self.memory = cpu, memory

    def cpu_seconds(self) -> float:
        return self.cpu

    def memory_bytes(self) -> int:
        return self.memory


@pytest.fixture
def meter(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(metrics, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(metrics.ecs, "has_insights", lambda region, cluster: cluster == "seen")
    cloud = SimpleNamespace(settings=Settings(tmp_path, 4720, 4721), metrics=Metrics())
    made = EcsMeter(cloud, Registry())
    made.clock = clock
    return made


def add(meter: EcsMeter, name: str, cluster: str = "c", count: int = 2) -> list[Task]:
    definition = Definition("arn:web:1", "web", True, "awsvpc", ({"name": "web", "image": "web"},),
                            (), 512, 256)  # fmt: skip
    service = Service("us-east-1", cluster, name, {}, count)
    service.deployments = [Deployment(definition, {})]
    meter._registry.services["us-east-1", cluster, name] = service
    tasks = [Task(definition, "us-east-1", cluster, service=service, status="RUNNING",
                  cgroup=Used(1.0, 64 * MIB)) for _ in range(count)]  # fmt: skip
    meter._registry.tasks |= {task.arn: task for task in tasks}
    return tasks


def published(meter: EcsMeter) -> dict:
    meter.reconcile()
    return {(d.namespace, d.name): d for d in meter.cloud.metrics.take()}


def test_use_is_a_percentage_of_what_the_task_reserves(meter):
    busy, idle = add(meter, "web")
    assert ("AWS/ECS", "CPUUtilization") not in published(meter)  # of one moment: nothing
    meter.clock.now += 2
    busy.cgroup.cpu += 1.0  # all of half a processor, for two seconds
    idle.cgroup.cpu += 0.1
    made = published(meter)
    cpu = made["AWS/ECS", "CPUUtilization"]
    assert cpu.values == pytest.approx((100.0, 10.0)) and cpu.unit == "Percent"
    assert cpu.dimensions == (("ClusterName", "c"), ("ServiceName", "web"))
    assert made["AWS/ECS", "MemoryUtilization"].values == (25.0, 25.0)
    assert not [name for name, _ in made if name == "ECS/ContainerInsights"]


def test_a_new_task_is_measured_from_its_own_start(meter):
    old, new = add(meter, "web")
    new.status = "PENDING"
    published(meter)
    meter.clock.now += 2
    old.cgroup.cpu += 0.5
    new.status = "RUNNING"
    assert published(meter)["AWS/ECS", "CPUUtilization"].values == pytest.approx((50.0,))


def test_an_early_wake_measures_nothing(meter):
    add(meter, "web")
    assert published(meter)
    meter.clock.now += 0.01
    assert not published(meter)


def test_counts_where_container_insights_is_on(meter):
    tasks = add(meter, "web", "seen", 3)
    tasks[0].status = "PENDING"
    tasks[1].stop("UserInitiated", "gone")
    made = published(meter)
    assert {name: d.values for (space, name), d in made.items()
            if space == "ECS/ContainerInsights"} == {
        "DesiredTaskCount": (3,), "RunningTaskCount": (1,), "PendingTaskCount": (1,),
        "DeploymentCount": (1,),
    }  # fmt: skip
