"""ECS: services roll out, tasks are containers with addresses of their own."""

import time
from collections.abc import Mapping
from itertools import cycle
from typing import NamedTuple

from drydock.controller import Cloud, Controller
from drydock.controllers.ecs import alarms, scheduler, turning
from drydock.controllers.ecs.api import Api, task_launch
from drydock.controllers.ecs.deployment import GOING, REVISION, Deployment, Rollout, now
from drydock.controllers.ecs.history import History, revision_arn, rollout_arn
from drydock.controllers.ecs.hooks import Hook, Hooks
from drydock.controllers.ecs.metrics import EcsMeter
from drydock.controllers.ecs.model import Service, Task, count
from drydock.controllers.ecs.registry import Registry
from drydock.controllers.ecs.tasks import Engine
from drydock.errors import ApiError
from drydock.moto import ec2, ecs, elbv2, elbv2_rules
from drydock.moto.api import Handler

__all__ = ["EcsController", "EcsMeter"]


class Cause(NamedTuple):
    """Why a deployment fails, in AWS's words: of the deployment, of the event, of the rollback's
    reason and of the deployment that rolls back."""

    reason: str
    event: str
    rollback: str
    back: str


BREAKER = Cause(
    "ECS deployment circuit breaker: tasks failed to start.",
    "tasks failed to start",
    "Service deployment rolled back because the circuit breaker threshold was exceeded.",
    "ECS deployment circuit breaker",
)
ALARM = Cause(
    "ECS deployment failed: alarm(s) detected.",
    "alarm detected",
    "Service deployment rolled back because of a CloudWatch alarm.",
    "ECS deployment alarm",
)
REQUESTED = Cause(
    "ECS deployment stopped: a rollback was requested.",
    "a rollback was requested",
    "Service deployment rolled back because of a StopServiceDeployment request.",
    "ECS deployment stopped",
)


def _refused(hook: Hook) -> Cause:
    return Cause(
        f"ECS deployment failed: lifecycle hook {hook.arn} failed at {hook.stage}: {hook.reason}.",
        f"lifecycle hook failed at {hook.stage}",
        f"Service deployment rolled back because the lifecycle hook {hook.arn} failed at "
        f"{hook.stage}: {hook.reason}.",
        "ECS deployment lifecycle hook",
    )


def _lost(error: ApiError) -> Cause:
    return Cause(
        f"ECS deployment failed: {error.message}",
        f"traffic could not be shifted: {error.message}",
        f"Service deployment rolled back because traffic could not be shifted: {error.message}",
        "ECS deployment traffic shift",
    )


# AWS keeps a stopped task, and a deleted service, in sight for at least an hour.
_KEPT_SECONDS = 3600.0
_KEPT_TASKS = 500


class EcsController(Controller):
    """Brings services to what is asked for; each task lives in a thread of its own."""

    name = "ecs"

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self.registry = Registry()
        self._engine = Engine(cloud, self.registry.lock, self.wake)
        self._history = History(self.registry, self.wake)
        self._api = Api(self.registry, self._engine.run, self.wake)
        ecs.services_from(self._api.counts, self._api.set_desired)

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {**self._api.operations(), **self._history.operations()}

    def end(self) -> None:
        self._engine.ended.set()
        super().end()

    def status(self) -> Mapping[str, object]:
        with self.registry.lock:
            services = [s for s in self.registry.services.values() if s.status != "INACTIVE"]
            return {
                "services": [self._status(service) for service in services],
                "tasks": [
                    {
                        "id": task.id,
                        "service": task.service.name if task.service else "",
                        "ip": task.ip,
                        "status": task.status,
                        "health": task.health,
                    }
                    for task in self.registry.tasks.values()
                    if task.status != "STOPPED"
                ],
            }

    def _status(self, service: Service) -> dict:
        running, pending = count(self.registry.of(service))
        return {
            "cluster": service.cluster,
            "name": service.name,
            "desired": service.desired,
            "running": running,
            "pending": pending,
            "task_definition": service.primary.definition.arn,
            "deployments": [
                {
                    "id": deployment.id,
                    "status": "PRIMARY" if deployment is service.primary else "ACTIVE",
                    "rollout": deployment.state,
                }
                for deployment in service.deployments
            ],
        }

    # --- the loop ------------------------------------------------------------------

    def reconcile(self) -> None:
        with self.registry.lock:
            groups = {g for t in self.registry.tasks.values() for g, _ in t.targets if t.alive}
        # Asked without the lock: an API call never waits for a load balancer.
        healths = {group: elbv2.target_health(group) for group in groups}
        with self.registry.lock:
            for service in list(self.registry.services.values()):
                if service.status == "INACTIVE":
                    continue
                try:
                    self._step(service, healths)
                except Exception:  # one service's fault must not hold the others up
                    self.log.exception("%s", service.name)
            self._forget()

    def _step(self, service: Service, healths: Mapping[str, Mapping]) -> None:
        tasks, at = self.registry.of(service), time.monotonic()
        failed = service.primary.failed
        for task in tasks:
            found = {t: healths.get(t[0], {}).get((task.ip, t[1])) for t in task.targets}
            scheduler.judge(task, {t: h and h.state for t, h in found.items()}, at)
            if task.stop_code in ("TaskFailedToStart", "EssentialContainerExited"):
                scheduler.account(task, at)
        if failed < scheduler.FAILING <= service.primary.failed:
            service.say("is unable to consistently start tasks successfully.")
        rollout = service.rollouts[0]
        alarms.settle(rollout, service.region)
        self._turn(service, rollout, tasks, at)
        if rollout.shift and rollout.shift.reached("CLEAN_UP") and rollout.status in GOING:
            pass  # what it would go back to is leaving
        elif rollout.status == "ROLLBACK_REQUESTED":
            self._fail(service, REQUESTED, rollback=True)
        elif alarms.turned_red(rollout, service.region):
            back = rollout.configuration["alarms"].get("rollback") and service.last_completed
            self._fail(service, ALARM, rollback=bool(back))
        turned = rollout.shift if rollout.status in GOING else None
        decision = (
            turning.plan(service, turned, tasks, at)
            if turned
            else scheduler.plan(service, tasks, at)
        )
        # What clients may still be sent to stays until the load balancers have been told.
        for task, reason in decision.stop.items() if elbv2_rules.landed() else ():
            self._stop_task(service, task, reason, at)
        for deployment, number in decision.launch.items():
            self._launch(service, deployment, number)
        for deployment in decision.forget:
            service.deployments.remove(deployment)
        if decision.failed:
            rollout.tripped = True
            self._fail(service, BREAKER, rollback=decision.rollback)
        scaled = self.cloud.settings.scaled
        if (turned and decision.completed) or (
            not turned and alarms.baked(rollout, service.region, decision.completed, at, scaled)
        ):
            primary = service.primary
            primary.become("COMPLETED", f"ECS deployment {primary.id} completed.")
            service.last_completed = primary
            service.say(f"(deployment {primary.id}) deployment completed.")
        if decision.steady and not service.steady:
            service.say("has reached a steady state.")
        service.steady = decision.steady
        if service.status == "DRAINING" and all(task.status == "STOPPED" for task in tasks):
            service.status, service.ended = "INACTIVE", now()
            ecs.withdraw(service.region, service.cluster, service.name)

    def _turn(self, service: Service, rollout: Rollout, tasks: list[Task], at: float) -> None:
        """Goes on with turning the clients to a new revision, where that is how it is released."""
        shift, scaled = rollout.shift, self.cloud.settings.scaled
        if shift is None or rollout.status != "IN_PROGRESS":
            return
        asked = rollout.configuration.get("lifecycleHooks")
        if asked and shift.hooks is None:
            shift.hooks = Hooks(asked, self.wake, scaled)
        told = {
            "resourceArn": rollout_arn(service, rollout),
            "executionDetails": {
                "serviceArn": service.arn,
                "targetServiceRevisionArn": revision_arn(service, rollout.target),
            },
        }
        try:
            if turning.advance(service, rollout, tasks, at, scaled, told):
                rollout.times["updatedAt"] = now()
        except ApiError as error:
            self._fail(service, _lost(error), rollback=shift.source is not None)
            return
        if shift.hooks and (hook := shift.hooks.failed):
            self._fail(service, _refused(hook), rollback=shift.source is not None)

    def _launch(self, service: Service, deployment: Deployment, number: int) -> None:
        revision = deployment.revision
        subnets = [
            subnet
            for name in revision["networkConfiguration"]["awsvpcConfiguration"]["subnets"]
            if (subnet := ec2.subnet(name))
        ]
        if not subnets:
            service.say("was unable to place a task. Reason: its subnets do not exist.")
            return
        # The emptiest subnets first, so that tasks spread over zones.
        alive = [task.subnet for task in self.registry.of(service) if task.alive]
        order = cycle(sorted(subnets, key=lambda subnet: alive.count(subnet.id)))
        made = []
        for _ in range(number):
            subnet = next(order)
            task = Task(
                deployment.definition,
                service.region,
                service.cluster,
                subnet=subnet.id,
                zone=subnet.zone,
                service=service,
                deployment=deployment,
                started_by=deployment.id,
                group=f"service:{service.name}",
                launch=task_launch(revision),
                tags=self._tags(service, deployment),
            )
            self.registry.tasks[task.arn] = task
            self._engine.run(task)
            made.append(task)
        service.say(f"has started {number} tasks: {_names(made)}.")

    def _tags(self, service: Service, deployment: Deployment) -> list[dict[str, str]]:
        source = service.attributes["propagateTags"]
        made = []
        if source == "SERVICE":
            made = ecs.tags(service.region, service.cluster, service.name)
        elif source == "TASK_DEFINITION":
            made = list(deployment.definition.tags)
        if service.attributes["enableECSManagedTags"]:
            made += [
                {"key": "aws:ecs:clusterName", "value": service.cluster},
                {"key": "aws:ecs:serviceName", "value": service.name},
            ]
        return made

    def _stop_task(self, service: Service, task: Task, reason: str, at: float) -> None:
        if task.unfit:
            scheduler.account(task, at)
            if task.health == "UNHEALTHY":
                service.say(f"(task {task.id}) failed container health checks.")
            for group, port in task.targets if task.health != "UNHEALTHY" else ():
                service.say(
                    f"(port {port}) is unhealthy in (target-group {group}) due to (reason "
                    "Health checks failed)."
                )
        task.stop("ServiceSchedulerInitiated", reason)
        service.say(f"has stopped 1 running tasks: {_names([task])}.")
        if task.targets:
            service.say(f"has begun draining connections on 1 tasks: {_names([task])}.")

    def _fail(self, service: Service, cause: Cause, *, rollback: bool) -> None:
        failed = service.primary
        failed.become("FAILED", cause.reason)
        service.say(f"(deployment {failed.id}) deployment failed: {cause.event}.")
        if rollback:
            shift = service.rollouts[0].shift
            target = shift.source if shift else service.last_completed
            alive = [t for t in self.registry.of(service) if t.deployment is failed and t.alive]
            # A pair of groups stays one: what went before is in one of them.
            paired = any("advancedConfiguration" in one for one in _balancers(service, target))
            keys = [key for key in REVISION if not (paired and key == "loadBalancers")]
            for key in keys:
                service.attributes.pop(key, None)
            service.attributes.update({k: target.revision[k] for k in keys if k in target.revision})
            made = (
                service.return_to(target, cause.rollback)
                if shift
                else service.deploy(
                    target.definition, len(alive), rollback=True, reason=cause.rollback
                )
            )
            made.reason = f"{cause.back}: rolling back to deploymentId {target.id}."
            service.say(f"rolling back to deployment {target.id}.")
        self.wake()

    def _forget(self) -> None:
        """Drops what AWS would no longer show."""
        stopped = [t for t in self.registry.tasks.values() if t.status == "STOPPED"]
        for task in stopped[: max(len(stopped) - _KEPT_TASKS, 0)]:
            del self.registry.tasks[task.arn]
        for task in stopped:
            if _stopped_for(task) > _KEPT_SECONDS:
                self.registry.tasks.pop(task.arn, None)
        for key, service in list(self.registry.services.items()):
            if service.ended and (now() - service.ended).total_seconds() > _KEPT_SECONDS:
                del self.registry.services[key]


def _balancers(service: Service, target: Deployment) -> list[dict]:
    return [
        *service.attributes.get("loadBalancers", []), *target.revision.get("loadBalancers", [])
    ]  # fmt: skip


def _names(tasks: list[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)


def _stopped_for(task: Task) -> float:
    """Seconds since a task was STOPPED; 0 while it is not."""
    stopped = task.times.get("stoppedAt") if task.status == "STOPPED" else None
    return (now() - stopped).total_seconds() if stopped else 0.0
