"""A task's life: one container, one thread from PROVISIONING to STOPPED."""

import contextlib
import functools
import json
import logging
import os
import select
import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

from drydock import namespace
from drydock.cgroup import Cgroup
from drydock.controller import Cloud
from drydock.controllers.ecs.container import options
from drydock.controllers.ecs.container_log import ContainerLog
from drydock.controllers.ecs.credentials import Credentials, path
from drydock.controllers.ecs.health_check import Probe
from drydock.controllers.ecs.model import Task, now
from drydock.errors import ApiError, DrydockError
from drydock.moto import ecr, elbv2, secrets
from drydock.podman import PodmanError
from drydock.tls import BUNDLE

log = logging.getLogger("drydock.ecs")
KIND = "task"
_STARTS = 4  # side by side; more would only wait for the machine's processors
_TICK = 0.25
_STOP_TIMEOUT = 30  # AWS's default, seconds
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
            if str(error).startswith("CannotPull"):  # AWS says it of the container too
                self.update(task, container_reason=str(error))
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
        self._log = ContainerLog(self._folder / "container.log", task, self._container)
        self._settings, self._bundle = cloud.settings, cloud.authority.bundle
        self._credentials: Credentials | None = None
        self._process: int | None = None  # pidfd of the container's first process
        self._pid = 0
        self._probe = Probe(self._container.get("healthCheck"))

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
                # AWS's endpoints are trusted by every image; so are this cloud's.
                mounts=[(self._bundle, BUNDLE, "ro")],
                options=[*shown, *options(task, self._folder)],
                prepare=self._hand_out if task.definition.task_role else None,
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

    def _hand_out(self, pid: int) -> None:
        """Answers for the role's credentials in the task's network, before its program starts."""
        task = self._task
        self._credentials = Credentials(pid, task.region, task.id, task.definition.task_role)

    def _environment(self) -> dict[str, str]:
        task = self._task
        made = {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": task.region,
            "AWS_DEFAULT_REGION": task.region,
            # In AWS the SDKs know where the API is.
            "AWS_ENDPOINT_URL": self._networks.endpoint(task.subnet, self._settings.port),
        }
        if task.definition.task_role:
            made["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = path(task.id)
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
        if self._task.deployment:
            self._task.deployment.digest = self._task.image_digest
        self._pid = pid = inspected["State"]["Pid"]
        with contextlib.suppress(OSError):  # it has ended already
            self._process = os.pidfd_open(pid) if pid else None
        with contextlib.suppress(OSError):
            self._set(cgroup=Cgroup.of(pid))

    def _register(self) -> tuple[tuple[str, int], ...]:
        deployment = self._task.deployment
        balancers = deployment.revision.get("loadBalancers", []) if deployment else []
        targets = []
        for number, balancer in enumerate(balancers):
            group, port = deployment.groups[number], balancer["containerPort"]
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
            health = self._probe.due(functools.partial(namespace.execute, self._pid))
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
        if self._credentials:
            self._credentials.close()
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
        if self._task.cgroup and self._task.cgroup.killed_for_memory():
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


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1].removeprefix("Error: ")
