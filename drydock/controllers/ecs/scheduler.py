"""What a service needs next: decided from its state alone, without I/O.

Source of the rules: ECS developer guide, "Service deployment controllers and strategies",
"How the Amazon ECS deployment circuit breaker detects failures" and "Service throttle logic".
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drydock.controllers.ecs.model import Deployment, Service, Task

# A task with neither a target nor a health check is fit once it has run for so long; AWS
# says RUNNING, but an image that exits at once passes through that too.
SETTLE_SECONDS = 3.0
FAILING = 3  # failed tasks in a row from which a service is said to fail
_BREAKER_MAX = 200
# AWS spaces failing launches up to minutes apart; half a minute shows the same and a
# circuit breaker still trips within one.
_BACK_OFF_MAX = 30.0


@dataclass
class Decision:
    """What to do now.

    Attributes:
        launch: deployment → number of tasks.
        stop: task → why.
        failed: the circuit breaker trips; nothing else is to be done in this pass.
        rollback: it does so with a deployment to return to.
        completed: the primary deployment has just been completed.
        forget: superseded deployments of which nothing is left.
        steady: the service runs as asked for.
    """

    launch: dict[Deployment, int] = field(default_factory=dict)
    stop: dict[Task, str] = field(default_factory=dict)
    failed: bool = False
    rollback: bool = False
    completed: bool = False
    forget: list[Deployment] = field(default_factory=list)
    steady: bool = False


def threshold(desired: int) -> int:
    """Failed tasks in a row that trip the circuit breaker."""
    return min(max(math.ceil(0.5 * desired), FAILING), _BREAKER_MAX)


def back_off(failed: int) -> float:
    """Seconds until the next launch after so many failed tasks in a row."""
    return min(2.0 ** (failed - 1), _BACK_OFF_MAX) if failed else 0.0


def bounds(service: Service) -> tuple[int, int]:
    """(least healthy, most running) tasks during a deployment; AWS rounds up and down."""
    configuration = service.configuration
    return (
        math.ceil(service.desired * configuration["minimumHealthyPercent"] / 100),
        math.floor(service.desired * configuration["maximumPercent"] / 100),
    )


def judge(task: Task, targets: Mapping[tuple[str, int], str | None], now: float) -> None:
    """Sets whether a task is fit, proven or has to be replaced.

    Args:
        targets: (target group, port) → state of each of the task's own; None when unknown.
        now: monotonic seconds.
    """
    task.fit = False
    if not task.alive or task.status != "RUNNING" or task.began is None:
        return
    age = now - task.began
    if age >= (task.service.grace if task.service else 0.0):
        sick = [group for (group, _), state in targets.items() if state == "unhealthy"]
        if task.health == "UNHEALTHY":
            task.unfit = "Task failed container health checks"
        elif sick:
            task.unfit = f"Task failed ELB health checks in (target-group {sick[0]})"
        else:
            task.unfit = ""
    if task.health == "UNHEALTHY" or (task.checked and task.health != "HEALTHY"):
        return
    if targets:
        task.fit = all(state == "healthy" for state in targets.values())
    else:
        task.fit = task.checked or age >= SETTLE_SECONDS
    if task.fit:
        if task.deployment and not task.proven:
            task.deployment.failed, task.deployment.not_before = 0, 0.0
        task.proven = True


def account(task: Task, now: float) -> None:
    """Counts a task that ended, or is to end, without ever having been fit."""
    if task.accounted or task.proven or task.deployment is None:
        return
    task.accounted = True
    deployment = task.deployment
    deployment.failed += 1
    deployment.not_before = now + back_off(deployment.failed)


def plan(service: Service, tasks: Iterable[Task], now: float) -> Decision:
    """Decides one step; sets ``keep`` of superseded deployments.

    Args:
        tasks: the service's own, judged.
        now: monotonic seconds.
    """
    decision = Decision()
    primary, others = service.primary, service.deployments[1:]
    tasks = list(tasks)
    if tripped(service):
        decision.failed = True
        decision.rollback = bool(
            service.configuration["deploymentCircuitBreaker"].get("rollback")
            and service.last_completed and not primary.rollback
        )  # fmt: skip
        return decision

    alive = living(service, tasks, decision)
    lower, upper = bounds(service)
    want = service.desired
    if primary.state == "FAILED":  # it is given no further task
        want = min(want, len(alive[primary]))
    if others:
        _retire(service, alive, want, lower, upper)
    else:
        upper = max(upper, want)
    for deployment in [*others, primary]:
        wanted = want if deployment is primary else deployment.keep
        room = upper - sum(map(len, alive.values())) - sum(decision.launch.values())
        # A superseded revision is filled up only if it is known to work.
        sound = deployment.state == "COMPLETED" or (
            deployment is primary and deployment.state == "IN_PROGRESS"
        )
        renewed = sound and now >= deployment.not_before
        balance(decision, deployment, alive, wanted, room, renewed)

    fit = sum(task.fit for task in alive[primary])
    full = primary.state != "FAILED" and fit == len(alive[primary]) == service.desired
    there = {t.deployment for t in tasks if t.alive or t.leaving}  # what stops now included
    rest = [d for d in others if d in there]
    decision.completed = full and not rest and primary.state == "IN_PROGRESS"
    decision.steady = full and not rest and not decision.launch
    # A failed deployment stays visible until another one has taken its place.
    settled = decision.completed or primary.state == "COMPLETED"
    decision.forget = [
        d for d in others if d not in rest and not d.keep and (settled or d.state != "FAILED")
    ]
    return decision


def tripped(service: Service) -> bool:
    """Whether the circuit breaker fails the primary deployment now."""
    breaker = service.configuration.get("deploymentCircuitBreaker", {})
    return bool(
        service.primary.state == "IN_PROGRESS"
        and breaker.get("enable")
        and service.desired
        and service.primary.failed >= threshold(service.desired)
    )


def living(
    service: Service, tasks: Iterable[Task], decision: Decision
) -> dict[Deployment, list[Task]]:
    """The tasks of each deployment that run or start; those whose start failed are to stop."""
    tasks = list(tasks)
    alive = {d: [t for t in tasks if t.deployment is d and t.alive] for d in service.deployments}
    # Never fit and unfit now: a failed start in all but name.
    for group in alive.values():
        for task in [t for t in group if t.unfit and not t.proven]:
            decision.stop[task] = task.unfit
            group.remove(task)
    return alive


def _retire(
    service: Service,
    alive: Mapping[Deployment, list[Task]],
    want: int,
    lower: int,
    upper: int,
) -> None:
    """Lowers what superseded deployments hold up, as the primary becomes fit.

    With room under the maximum, old tasks go only for new ones that are fit; without room,
    as many go first as the minimum allows.
    """
    primary, others = service.primary, service.deployments[1:]
    for deployment in others:
        if deployment.state != "COMPLETED":  # only a revision known to work is filled up
            deployment.keep = min(deployment.keep, len(alive[deployment]))
    fresh = sum(task.fit for task in alive[primary])
    needed = max(0, service.desired - fresh)
    old = [task for deployment in others for task in alive[deployment]]
    missing = want - sum(not task.unfit for task in alive[primary])
    room = upper - len(old) - len(alive[primary])
    if missing > room:
        fit = sum(task.fit for task in old)
        spare = (len(old) - fit) + max(0, fit + fresh - lower)
        needed = min(needed, max(0, len(old) - min(missing - room, spare)))
    surplus = sum(deployment.keep for deployment in others) - needed
    # First what is not known to work, then the oldest.
    for deployment in sorted(others, key=lambda d: (d.state == "COMPLETED", d.created)):
        less = min(max(surplus, 0), deployment.keep)
        deployment.keep -= less
        surplus -= less


def balance(
    decision: Decision,
    deployment: Deployment,
    alive: Mapping[Deployment, list[Task]],
    wanted: int,
    room: int,
    renewed: bool,
) -> None:
    """Brings one deployment to a number of tasks.

    A task that was fit and no longer is goes when its replacement is fit, or at once where
    the maximum leaves no room for both.

    Args:
        renewed: whether the deployment may be given tasks now.
    """
    group = alive[deployment]
    good = [task for task in group if not task.unfit]
    sick = [task for task in group if task.unfit]

    def stop(tasks: list[Task], task: Task, why: str) -> None:
        decision.stop[task] = why
        tasks.remove(task)
        group.remove(task)

    scaling = f"Scaling activity initiated by (deployment {deployment.id})"
    while len(good) > wanted:
        crowd = Counter(task.subnet for task in good)
        stop(good, max(good, key=lambda t: (not t.fit, crowd[t.subnet], t.number)), scaling)
    launch = wanted - len(good) if renewed else 0
    spare = max(sum(task.fit for task in good) + len(sick) - wanted, launch - room)
    for task in sick[: max(spare, 0)]:
        stop(sick, task, task.unfit if wanted else scaling)
        room += 1
    if min(launch, room) > 0:
        decision.launch[deployment] = min(launch, room)
