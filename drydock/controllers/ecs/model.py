"""Services, deployments and tasks: plain data in AWS's words, without I/O."""

import datetime
import itertools
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from drydock.cgroup import Cgroup
from drydock.controllers.ecs import strategy
from drydock.controllers.ecs.deployment import REVISION, Deployment, Rollout, arn, now
from drydock.controllers.ecs.shift import Shift
from drydock.moto.ecs import Definition
from drydock.settings import ACCOUNT_ID

_EVENTS = 100  # as many as DescribeServices ever returns
_ROLLOUTS = 100  # AWS keeps 90 days
_counter = itertools.count(1)


@dataclass(eq=False)
class Task:
    """One task: a container with an address of its own.

    Attributes:
        status: AWS's lastStatus.
        stop_code: set as soon as the task is to stop, whoever wants it.
        began: monotonic time at which it was RUNNING.
        cgroup: what its container uses; None until it runs.
        checked: whether its container defines a health check.
        health: HEALTHY, UNHEALTHY or UNKNOWN: of the container's own check.
        targets: (target group ARN, port) that it is registered in.
        fit: serves as it should now; proven: has been fit once.
        unfit: why it has to be replaced; empty when it has not.
    """

    definition: Definition
    region: str
    cluster: str
    subnet: str = ""
    zone: str = ""
    service: "Service | None" = None
    deployment: Deployment | None = None
    started_by: str = ""
    group: str = ""
    launch: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    number: int = field(default_factory=lambda: next(_counter))
    status: str = "PROVISIONING"
    stop_code: str = ""
    stopped_reason: str = ""
    container_reason: str = ""
    exit_code: int | None = None
    ip: str = ""
    runtime_id: str = ""
    image_digest: str = ""
    began: float | None = None
    cgroup: Cgroup | None = None
    checked: bool = False
    health: str = "UNKNOWN"
    targets: tuple[tuple[str, int], ...] = ()
    fit: bool = False
    proven: bool = False
    unfit: str = ""
    accounted: bool = False
    times: dict[str, datetime.datetime] = field(default_factory=lambda: {"createdAt": now()})
    _eni: str = field(default_factory=lambda: f"eni-{secrets.token_hex(9)[1:]}")
    _attachment: str = field(default_factory=lambda: str(uuid.uuid4()))
    _container: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def arn(self) -> str:
        return arn(self.region, f"task/{self.cluster}/{self.id}")

    @property
    def container(self) -> dict[str, Any]:
        """The container's definition with what RunTask overrides."""
        made = dict(self.definition.containers[0])
        for override in self.overrides.get("containerOverrides", []):
            if override.get("name") != made["name"]:
                continue
            given = {v["name"]: v["value"] for v in made.get("environment", [])}
            given.update({v["name"]: v["value"] for v in override.get("environment", [])})
            made.update({k: override[k] for k in ("command", "cpu", "memory") if k in override})
            made["environment"] = [{"name": k, "value": v} for k, v in given.items()]
        return made

    @property
    def cpu(self) -> int:
        """What the task reserves: CPU units, 1024 to a processor; 0 when nothing."""
        return int(self.definition.cpu or self.container.get("cpu") or 0)

    @property
    def memory(self) -> int:
        """What the task reserves: MiB; 0 when nothing."""
        return int(self.definition.memory or self.container.get("memory") or 0)

    @property
    def alive(self) -> bool:
        """Whether it runs or starts, and nobody wants it to stop."""
        return not self.stop_code and self.status != "STOPPED"

    @property
    def leaving(self) -> bool:
        return bool(self.stop_code) and self.status != "STOPPED"

    def stop(self, code: str, reason: str) -> None:
        """Asks for the stop; the first to ask gives the reason."""
        if not self.stop_code:
            self.stop_code, self.stopped_reason, self.fit = code, reason, False
            self.times["stoppingAt"] = now()
            if self.status == "RUNNING":
                self.status = "DEACTIVATING"

    def describe(self, *, tags: bool = False) -> dict[str, Any]:
        """The API's ``Task``."""
        container = self.container
        interface = {"attachmentId": self._attachment, "privateIpv4Address": self.ip}
        attached = {"PROVISIONING": "PRECREATED", "STOPPED": "DELETED"}
        shown: dict[str, Any] = {
            "taskArn": self.arn,
            "clusterArn": arn(self.region, f"cluster/{self.cluster}"),
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "startedBy": self.started_by,
            "version": 1 + len(self.times),
            "lastStatus": self.status,
            "desiredStatus": "STOPPED" if self.stop_code else "RUNNING",
            "healthStatus": self.health,
            "connectivity": "CONNECTED",
            "availabilityZone": self.zone,
            "cpu": str(self.cpu),
            "memory": str(self.memory),
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            **self.launch,
            "overrides": self.overrides,
            "attributes": [],
            "attachments": [
                {
                    "id": self._attachment,
                    "type": "ElasticNetworkInterface",
                    "status": attached.get(self.status, "ATTACHED"),
                    "details": [
                        {"name": "subnetId", "value": self.subnet},
                        {"name": "networkInterfaceId", "value": self._eni},
                        {"name": "privateIPv4Address", "value": self.ip},
                    ],
                }
            ],
            "containers": [
                {
                    "containerArn": arn(
                        self.region, f"container/{self.cluster}/{self.id}/{self._container}"
                    ),
                    "taskArn": self.arn,
                    "name": container["name"],
                    "image": container["image"],
                    "imageDigest": self.image_digest or None,
                    "runtimeId": self.runtime_id or None,
                    "lastStatus": self._container_status,
                    "exitCode": self.exit_code,
                    "reason": self.container_reason or None,
                    "networkBindings": [],
                    "networkInterfaces": [interface] if self.ip else [],
                    "healthStatus": self.health,
                    "cpu": str(container.get("cpu", 0)),
                }
            ],
            **self.times,
        }
        if self.stop_code:
            shown |= {"stopCode": self.stop_code, "stoppedReason": self.stopped_reason}
        if tags:
            shown["tags"] = self.tags
        return shown

    @property
    def _container_status(self) -> str:
        if self.status in ("STOPPED", "DEPROVISIONING"):
            return "STOPPED"
        return "RUNNING" if self.runtime_id else "PENDING"


@dataclass(eq=False)
class Service:
    """One service.

    Attributes:
        attributes: what CreateService and UpdateService were given, in the API's shapes,
            AWS's defaults filled in.
        deployments: the primary first.
        last_completed: what a rollback returns to.
        rollouts: AWS's service deployments, the newest first.
        steady: whether the steady state has been announced.
    """

    region: str
    cluster: str
    name: str
    attributes: dict[str, Any]
    desired: int
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    last_completed: Deployment | None = None
    rollouts: list[Rollout] = field(default_factory=list)
    steady: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    created: datetime.datetime = field(default_factory=now)
    ended: datetime.datetime | None = None

    @property
    def arn(self) -> str:
        return arn(self.region, f"service/{self.cluster}/{self.name}")

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    @property
    def grace(self) -> float:
        return float(self.attributes.get("healthCheckGracePeriodSeconds") or 0)

    @property
    def configuration(self) -> dict[str, Any]:
        return self.attributes["deploymentConfiguration"]

    def say(self, text: str) -> None:
        """Adds an event; a repetition of the newest one is left out."""
        message = f"(service {self.name}) {text}"
        if not self.events or self.events[0]["message"] != message:
            event = {"id": str(uuid.uuid4()), "createdAt": now(), "message": message}
            self.events = [event, *self.events[: _EVENTS - 1]]

    def deploy(
        self, definition: Definition, alive: int, *, rollback: bool = False, reason: str = ""
    ) -> Deployment:
        """Makes a deployment of the attributes as they are the primary one.

        Args:
            alive: tasks of the present primary that run or start.
            reason: why it is rolled back.
        """
        revision = {key: self.attributes[key] for key in REVISION if key in self.attributes}
        if self.deployments:
            old = self.primary
            old.keep = max(alive, self.desired) if old.state == "COMPLETED" else alive
            old.updated = now()
        made = Deployment(definition, revision, rollback)
        if rollback and self.last_completed:
            made.revision_id = self.last_completed.revision_id
        source = self._source()
        made.groups = self._groups(source, rollback)
        if rollback and self.rollouts:
            self.rollouts[0].roll_back(made, reason)
        else:
            if self.rollouts:
                self.rollouts[0].supersede()
            rollout = Rollout(made, list(self.deployments), self.configuration)
            if strategy.turns(self.configuration):
                rollout.shift = Shift.of(self.attributes, made, source)
            self.rollouts = [rollout, *self.rollouts[: _ROLLOUTS - 1]]
        self.deployments.insert(0, made)
        self.steady = False
        return made

    def return_to(self, source: Deployment, reason: str) -> Deployment:
        """Makes what the clients were being turned from the primary deployment again.

        Its tasks still run, so it is no new deployment.
        """
        rollout = self.rollouts[0]
        rollout.shift.turn_back()
        self.deployments.remove(source)
        self.deployments.insert(0, source)
        rollout.roll_back(source, reason)
        source.become("IN_PROGRESS", reason)
        self.steady = False
        return source

    def _source(self) -> Deployment | None:
        """What serves, and goes on serving while clients are turned; None of a new service."""
        if self.last_completed in self.deployments:
            return self.last_completed
        return self.deployments[0] if self.deployments else None

    def _groups(self, source: Deployment | None, rollback: bool) -> tuple[str, ...]:
        balancers = self.attributes.get("loadBalancers", [])
        if source and source.groups and rollback:
            return source.groups
        if source and source.groups and strategy.turns(self.configuration):
            return tuple(
                next((g for g in strategy.pair(one) if g not in source.groups), "")
                for one in balancers
            )
        return tuple(one["targetGroupArn"] for one in balancers)

    def describe(self, tasks: Iterable["Task"], *, tags: list | None = None) -> dict[str, Any]:
        """The API's ``Service``; ``tasks`` are its own."""
        tasks = list(tasks)
        running, pending = count(tasks)
        shown = {
            **self.attributes,
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": arn(self.region, f"cluster/{self.cluster}"),
            "status": self.status,
            "desiredCount": self.desired,
            "runningCount": running,
            "pendingCount": pending,
            "deployments": [self._describe(d, tasks) for d in self.deployments],
            "events": self.events,
            "createdAt": self.created,
            "createdBy": f"arn:aws:iam::{ACCOUNT_ID}:root",
        }
        for key in ("serviceConnectConfiguration", "volumeConfigurations",
                    "vpcLatticeConfigurations"):  # fmt: skip
            shown.pop(key, None)  # AWS shows these on deployments only
        if tags is not None:
            shown["tags"] = tags
        return shown

    def _describe(self, deployment: Deployment, tasks: list["Task"]) -> dict[str, Any]:
        primary = deployment is self.primary
        running, pending = count([t for t in tasks if t.deployment is deployment])
        shown = {
            **deployment.revision,
            "id": deployment.id,
            "status": "PRIMARY" if primary else "ACTIVE",
            "taskDefinition": deployment.definition.arn,
            "desiredCount": self.desired if primary else deployment.keep,
            "runningCount": running,
            "pendingCount": pending,
            "failedTasks": deployment.failed,
            "rolloutState": deployment.state,
            "rolloutStateReason": deployment.reason,
            "createdAt": deployment.created,
            "updatedAt": deployment.updated,
        }
        if deployment.revision.get("platformVersion") == "LATEST":
            shown["platformVersion"] = "1.4.0"
        return shown


def count(tasks: Iterable[Task]) -> tuple[int, int]:
    """(running, pending) tasks as AWS counts them: what is leaving is neither."""
    alive = [task for task in tasks if task.alive]
    running = sum(task.status == "RUNNING" for task in alive)
    return running, len(alive) - running
