"""A task's life: one container, one thread from PROVISIONING to STOPPED."""

import contextlib
import datetime
import json
import logging
import os
import resource
import select
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drydock.controller import Cloud
from drydock.controllers.ecs.model import Task, now
from drydock.errors import ApiError, DrydockError
from drydock.moto import ecr, elbv2, logs, secrets
from drydock.podman import PodmanError

log = logging.getLogger("drydock.ecs")
KIND = "task"
_STARTS = 4  # side by side; more would only wait for the machine's processors
_TICK = 0.25
_STOP_TIMEOUT = 30  # AWS's default, seconds
_LOG_BYTES = 64 << 20  # of a container's file on disk; CloudWatch Logs has all of it
# podman itself reads these from its environment, by which values are handed to it.
_PODMAN_READS = (
    "CONTAINER", "HOME", "HTTP", "LD_", "NOTIFY_", "NO_PROXY", "PATH", "REGISTRY_AUTH",
    "STORAGE_", "TMPDIR", "XDG_",
)  # fmt: skip


class Engine:
    """Runs tasks.

    Args:
        lock: guards the tasks' fields together.
        changed: called after a task's state has changed.
    """

    def __init__(self, cloud: Cloud, lock: threading.RLock, changed: Callable[[], None]):
        self._cloud, self._lock, self._changed = cloud, lock, changed
        self._slots = threading.Semaphore(_STARTS)
        self._pulling: dict[str, threading.Lock] = {}
        self.ended = threading.Event()

    def run(self, task: Task) -> None:
        """Starts the task's life in a thread of its own."""
        threading.Thread(target=self._live, args=(task,), name=task.id, daemon=True).start()

    def _live(self, task: Task) -> None:
        life = None
        try:
            life = _Life(self._cloud, task, self)
            with self._slots:
                if not self.ended.is_set():
                    life.start(self._pull)
            life.watch()
        except DrydockError as error:
            self.stop(task, "TaskFailedToStart", str(error))
        except Exception as error:
            log.exception("task %s failed", task.id)
            self.stop(task, "TaskFailedToStart", f"CannotStartContainerError: {error}")
        if self.ended.is_set():
            return  # `down` removes what runs
        try:
            if life:
                life.end()
        except Exception:
            log.exception("task %s could not be cleaned up", task.id)
        self.update(task, status="STOPPED")

    def update(self, task: Task, **fields: Any) -> None:
        """Sets fields of a task together."""
        with self._lock:
            for key, value in fields.items():
                setattr(task, key, value)
        self._changed()

    def say(self, task: Task, text: str) -> None:
        """Adds an event to the task's service."""
        with self._lock:
            if task.service:
                task.service.say(text)

    def stop(self, task: Task, code: str, reason: str) -> None:
        """Asks a task to stop, in AWS's words."""
        with self._lock:
            task.stop(code, reason)
        self._changed()

    def _pull(self, image: str) -> None:
        """Brings an image here: the registry's always, another's when it is missing."""
        podman, registry = self._cloud.podman, self._cloud.settings.registry
        with self._lock:
            lock = self._pulling.setdefault(image, threading.Lock())
        with lock:
            try:
                if image.startswith(f"{registry}/"):
                    podman.pull(image, *ecr.credentials())
                elif podman.command("image", "exists", image, check=False).code:
                    podman.command("pull", "--quiet", image, timeout=300)
            except PodmanError as error:
                raise DrydockError(
                    f"CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                    f"failed to resolve ref {image}: {_last_line(error.stderr)}"
                ) from None


class _Life:
    """One task's doings; used by its own thread alone."""

    def __init__(self, cloud: Cloud, task: Task, engine: Engine):
        self._podman, self._networks, self._task = cloud.podman, cloud.networks, task
        self._container = task.container
        self._folder = cloud.settings.folder("parts", KIND, task.id)
        self._name = cloud.podman.part_name(KIND, task.id)
        self._engine, self._ended = engine, engine.ended
        self._log = _Log(self._folder / "container.log", task, self._container)
        self._process: int | None = None  # pidfd of the container's first process
        self._memory: Path | None = None
        self._probe = _Probe(self._container.get("healthCheck"))

    def _set(self, **fields: Any) -> None:
        self._engine.update(self._task, **fields)

    def _stamp(self, name: str) -> None:
        self._task.times[name] = now()

    # --- start -------------------------------------------------------------------

    def start(self, pull: Callable[[str], None]) -> None:
        """Brings the task to RUNNING; DrydockError, worded as AWS's stoppedReason, if not."""
        task = self._task
        if task.stop_code:
            return
        try:
            network = self._networks.of_subnet(task.subnet)
            self._set(ip=self._networks.allocate(task.subnet))
            self._log.open()
        except DrydockError as error:
            raise DrydockError(f"ResourceInitializationError: {error}") from None
        environment = self._environment()
        self._set(status="PENDING")
        self._stamp("pullStartedAt")
        pull(self._container["image"])
        self._stamp("pullStoppedAt")
        if task.stop_code:
            return
        hidden = {k: v for k, v in environment.items() if not k.upper().startswith(_PODMAN_READS)}
        shown = [f"--env={k}={v}" for k, v in environment.items() if k not in hidden]
        try:
            self._podman.run(
                KIND,
                task.id,
                self._container["image"],
                self._container.get("command") or (),
                network=network,
                ip=task.ip,
                environment=hidden,
                labels=self._container.get("dockerLabels"),
                options=[*shown, *options(task, self._folder)],
            )
        except PodmanError as error:
            raise DrydockError(f"CannotStartContainerError: {_last_line(error.stderr)}") from None
        self._attach()
        self._stamp("startedAt")
        targets = self._register()
        self._set(
            targets=targets,
            checked=bool(self._container.get("healthCheck")),
            began=time.monotonic(),
        )
        if not task.stop_code:
            self._set(status="RUNNING")

    def _environment(self) -> dict[str, str]:
        task = self._task
        made = {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": task.region,
            "AWS_DEFAULT_REGION": task.region,
        }
        made |= {v["name"]: v["value"] for v in self._container.get("environment", [])}
        try:
            for secret in self._container.get("secrets", []):
                made[secret["name"]] = secrets.resolve(secret["valueFrom"], task.region)
        except DrydockError as error:
            raise DrydockError(
                "ResourceInitializationError: unable to pull secrets or registry auth: "
                f"execution resource retrieval failed: {error}"
            ) from None
        return made

    def _attach(self) -> None:
        """Takes hold of the container's first process, so that its end is seen at once."""
        found = self._podman.command("inspect", "--format=json", self._name).stdout
        inspected = json.loads(found)[0]
        self._set(runtime_id=inspected["Id"], image_digest=inspected.get("ImageDigest", ""))
        pid = inspected["State"]["Pid"]
        with contextlib.suppress(OSError):  # it has ended already
            self._process = os.pidfd_open(pid) if pid else None
        with contextlib.suppress(OSError):
            self._memory = _memory_events(pid)

    def _register(self) -> tuple[tuple[str, int], ...]:
        deployment = self._task.deployment
        balancers = deployment.revision.get("loadBalancers", []) if deployment else []
        targets = []
        for balancer in balancers:
            group, port = balancer["targetGroupArn"], balancer["containerPort"]
            try:
                elbv2.register_target(group, self._task.ip, port)
            except ApiError as error:
                raise DrydockError(f"ResourceInitializationError: {error.message}") from None
            targets.append((group, port))
            self._engine.say(self._task, f"registered 1 targets in (target-group {group})")
        self._set(status="ACTIVATING")
        return tuple(targets)

    # --- run ---------------------------------------------------------------------

    def watch(self) -> None:
        """Returns when the container has died or the task is to stop."""
        while not self._ended.is_set() and not self._task.stop_code:
            if self._dead(_TICK):
                return
            self._log.ship()
            health = self._probe.due(self._podman.execute, self._name)
            if health and health != self._task.health:
                self._set(health=health)

    def _dead(self, seconds: float) -> bool:
        """Waits for the end of the container's first process, so long at most."""
        if self._process is None:
            return True
        ready = select.poll()  # select() knows no descriptor beyond 1023
        ready.register(self._process, select.POLLIN)
        return bool(ready.poll(seconds * 1000))

    # --- end ---------------------------------------------------------------------

    def end(self) -> None:
        """From whatever state to STOPPED: target drained, container gone, address free."""
        task = self._task
        started = bool(task.runtime_id)
        if started and self._dead(0):
            self._died()
        for group, port in task.targets:
            with contextlib.suppress(ApiError):  # the group is gone
                elbv2.deregister_target(group, task.ip, port)
                self._engine.say(task, f"deregistered 1 targets in (target-group {group})")
        try:
            if started and not self._dead(0):
                self._set(status="DEACTIVATING")
                while self._draining() and not self._dead(_TICK) and not self._ended.is_set():
                    self._log.ship()
                self._set(status="STOPPING")
                self._stop()
            if started:
                code = self._exit_code()
                self._set(exit_code=code, status="DEPROVISIONING")
                self._stamp("executionStoppedAt")
            self._log.ship(last=True)
        finally:
            self._clear()

    def _clear(self) -> None:
        """Leaves nothing of the task but its record, however its stop went."""
        task = self._task
        if self._process is not None:
            os.close(self._process)
            self._process = None
        try:
            self._podman.remove(self._name)
        except DrydockError as error:
            log.warning("%s: %s", self._name, error)
        self._stamp("stoppedAt")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._set(status="STOPPED")
        # A target that still drains must not meet a new task at its address.
        while self._draining() and not self._ended.wait(_TICK):
            pass
        if task.ip:
            self._networks.release(task.ip)

    def _draining(self) -> bool:
        return any(
            elbv2.is_draining(group, self._task.ip, port) for group, port in self._task.targets
        )

    def _died(self) -> None:
        reason = "Essential container in task exited"
        if self._memory and _killed_for_memory(self._memory):
            reason = "OutOfMemoryError: Container killed due to memory usage"
            self._set(container_reason=reason)
        self._engine.stop(self._task, "EssentialContainerExited", reason)

    def _stop(self) -> None:
        grace = self._container.get("stopTimeout") or _STOP_TIMEOUT
        self._podman.command("unpause", self._name, check=False)  # a paused one can't be stopped
        self._podman.stop(self._name, grace)

    def _exit_code(self) -> int | None:
        waited = self._podman.command("wait", self._name, check=False, timeout=60)
        words = waited.stdout.split()
        # Whoever removed the container by force has killed it.
        return int(words[0]) if words and not waited.code else 137


class _Probe:
    """A container's health check; defaults as in the API reference, HealthCheck."""

    def __init__(self, check: dict[str, Any] | None):
        words = (check or {}).get("command") or ["NONE"]
        self._command = ["/bin/sh", "-c", *words[1:]] if words[0] == "CMD-SHELL" else words[1:]
        check = check or {}
        self._interval = check.get("interval") or 30
        self._timeout = check.get("timeout") or 5
        self._retries = check.get("retries") or 3
        self._spared = time.monotonic() + (check.get("startPeriod") or 0)
        self._next = time.monotonic()
        self._failures, self._begun = 0, False

    def due(self, execute: Callable[..., Any], name: str) -> str | None:
        """Probes when it is time to; HEALTHY or UNHEALTHY when that says so."""
        if not self._command or time.monotonic() < self._next:
            return None
        well = execute(name, self._command, timeout=self._timeout).code == 0
        self._next = time.monotonic() + self._interval
        if well:
            self._failures, self._begun = 0, True
            return "HEALTHY"
        if not self._begun and time.monotonic() < self._spared:
            return None
        self._failures += 1
        return "UNHEALTHY" if self._failures >= self._retries else None


class _Log:
    """Carries a container's output to CloudWatch Logs.

    ``awslogs`` alone is known; without it the output stays in the file.
    """

    def __init__(self, path: Path, task: Task, container: dict[str, Any]):
        self.path, self._task = path, task
        configuration = container.get("logConfiguration") or {}
        self._wanted = configuration.get("logDriver") == "awslogs"
        options = configuration.get("options") or {}
        self._group = options.get("awslogs-group", "")
        self._region = options.get("awslogs-region") or task.region
        self._create = options.get("awslogs-create-group") == "true"
        prefix = options.get("awslogs-stream-prefix")
        self._stream = f"{prefix}/{container['name']}/{task.id}" if prefix else task.id
        self._offset, self._lines = 0, Lines()

    def open(self) -> None:
        """Makes the stream; DrydockError in AWS's words when there is no such group."""
        if not self._wanted:
            return
        if self._create:
            logs.create_group(self._region, self._group)
        try:
            logs.create_stream(self._region, self._group, self._stream)
        except DrydockError as error:
            raise DrydockError(
                "failed to validate logger args: create stream has been retried 1 times: failed "
                f"to create Cloudwatch log stream: ResourceNotFoundException: {error}"
            ) from None

    def ship(self, *, last: bool = False) -> None:
        """Sends what is new; with ``last`` also a line that was begun and never ended."""
        if not self._wanted:
            return
        content = self._read()
        whole = content if last else content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = self._lines.read(whole, last=last)
        try:
            if events:
                logs.put(self._region, self._group, self._stream, events)
        except DrydockError as error:
            log.warning("%s", error)
            self._wanted = False

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:
                    self._offset = 0  # the file was begun anew at its limit
                file.seek(self._offset)
                return file.read()
        except FileNotFoundError:
            return b""


class Lines:
    """Reads podman's k8s-file format: time, stream, F(ull) or P(artial), text.

    A long line comes in parts, cut between bytes and not between letters.
    """

    def __init__(self) -> None:
        self._begun: dict[bytes, bytes] = {}
        self._at = 0

    def read(self, content: bytes, *, last: bool = False) -> list[tuple[int, str]]:
        """(milliseconds since 1970, message) pairs of whole lines.

        Args:
            last: nothing will follow, so what has begun is whole.
        """
        found = []
        for line in content.split(b"\n"):
            at, _, rest = line.partition(b" ")
            stream, _, rest = rest.partition(b" ")
            kind, _, text = rest.partition(b" ")
            try:
                stamp = datetime.datetime.fromisoformat(at.decode("ascii", "replace"))
            except ValueError:  # cut off where the file was begun anew
                continue
            self._at = int(stamp.timestamp() * 1000)
            text = self._begun.pop(stream, b"") + text
            if kind == b"P":
                self._begun[stream] = text
            else:
                found.append((self._at, text.decode(errors="replace")))
        if last:
            found += [(self._at, text.decode(errors="replace")) for text in self._begun.values()]
        return found


def options(task: Task, folder: Path) -> list[str]:
    """Flags of ``podman run`` for a task's container definition.

    CPU is a weight, as for tasks on EC2: a cap of a quarter of *this* machine's processor
    would say nothing about AWS's.
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


def _memory_events(pid: int) -> Path | None:
    """The file in which the kernel counts a container's out-of-memory kills."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for file in (
            Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control"),
            Path(f"/sys/fs/cgroup{path}/memory.events"),
        ):
            if controllers in ("memory", "") and file.exists():
                return file
    return None


def _killed_for_memory(file: Path) -> bool:
    # podman 4 does not report it under cgroups v1; the group outlives the process for the
    # moment that podman needs to clean up.
    try:
        words = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return False
    return any(word[0] == "oom_kill" and word[1] != "0" for word in words)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1].removeprefix("Error: ")
