"""What a container definition means to podman."""

import json
import os
import resource
import shutil
from pathlib import Path

from drydock.controllers.ecs.model import Task

_LOG_BYTES = 64 << 20  # of a container's file on disk; CloudWatch Logs has all of it


def options(task: Task, folder: Path) -> list[str]:
    """Flags of ``podman run`` for a task's container definition.

    The task's CPU is a cap, as on Fargate: 1024 units are one processor. A container's own is
    a weight, which matters between containers of one machine only.
    """
    container, definition = task.container, task.definition
    linux = container.get("linuxParameters") or {}
    memory = container.get("memory") or definition.memory
    made = [
        f"--hostname=ip-{task.ip.replace('.', '-')}",
        "--http-proxy=false",  # this machine's own is not the task's
        "--no-healthcheck",  # ECS reads the task definition's, never the image's
        "--log-driver=k8s-file",
        f"--log-opt=path={folder / 'container.log'}",
        f"--log-opt=max-size={_LOG_BYTES}",
        f"--cpu-shares={max(container.get('cpu') or definition.cpu or 256, 2)}",
    ]
    if definition.cpu:
        made.append(f"--cpus={min(definition.cpu / 1024, os.cpu_count() or 1):g}")
    if memory:
        made += [f"--memory={memory}m", f"--memory-swap={memory}m"]
    if entry_point := container.get("entryPoint"):
        made.append(f"--entrypoint={json.dumps(entry_point)}")
    for key, flag in (("user", "--user"), ("workingDirectory", "--workdir")):
        if container.get(key):
            made.append(f"{flag}={container[key]}")
    if container.get("readonlyRootFilesystem"):
        made += ["--read-only", "--read-only-tmpfs=false"]
    for limit in container.get("ulimits", []):
        soft, hard = _within(limit["name"], limit["softLimit"], limit["hardLimit"])
        made.append(f"--ulimit={limit['name']}={soft}:{hard}")
    for entry in linux.get("tmpfs", []):
        flags = ",".join([f"size={entry['size']}m", *entry.get("mountOptions", [])])
        made.append(f"--tmpfs={entry['containerPath']}:{flags}")
    for kind in ("add", "drop"):
        for name in (linux.get("capabilities") or {}).get(kind, []):
            made.append(f"--cap-{kind}={name}")
    if linux.get("initProcessEnabled") and shutil.which("catatonit"):
        made.append("--init")
    sources = {v["name"]: (v.get("host") or {}).get("sourcePath") for v in definition.volumes}
    for point in container.get("mountPoints", []):
        source, mode = sources.get(point["sourceVolume"]), "ro" if point.get("readOnly") else "rw"
        made.append(
            f"--volume={source}:{point['containerPath']}:{mode}"
            if source
            else f"--volume={point['containerPath']}"
        )
    return made


def _within(name: str, soft: int, hard: int) -> tuple[int, int]:
    """A limit that this machine can give: more than its own makes a container fail."""
    number = getattr(resource, f"RLIMIT_{name.upper()}", None)
    own = resource.getrlimit(number)[1] if number is not None else resource.RLIM_INFINITY
    return (soft, hard) if own == resource.RLIM_INFINITY else (min(soft, own), min(hard, own))
