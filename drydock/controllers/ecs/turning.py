"""What a service needs next while its clients are turned to a new revision.

Source of stages and rules: ECS developer guide, "Amazon ECS blue/green deployments", "linear
deployments" and "canary deployments".
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drydock.controllers.ecs import scheduler, strategy
from drydock.controllers.ecs.deployment import Deployment, Rollout
from drydock.controllers.ecs.model import Service, Task
from drydock.controllers.ecs.scheduler import Decision
from drydock.controllers.ecs.shift import STAGES, Shift

_WITHOUT_LIMIT = 10**6  # both revisions run whole: the percentages are a rolling one's
Alive = Mapping[Deployment, list[Task]]


def plan(service: Service, shift: Shift, tasks: Iterable[Task], now: float) -> Decision:
    """Decides one step of the tasks, forward or back; the stages are :func:`advance`'s.

    Args:
        tasks: the service's own, judged.
        now: monotonic seconds.
    """
    decision, tasks = Decision(), list(tasks)
    primary, others = service.primary, service.deployments[1:]
    back = primary is shift.source
    if not back and not shift.reached("CLEAN_UP") and scheduler.tripped(service):
        decision.failed, decision.rollback = True, shift.source is not None
        return decision
    alive = scheduler.living(service, tasks, decision)
    for deployment in others:
        if deployment is shift.source:
            deployment.keep = 0 if shift.reached("CLEAN_UP") else service.desired
        elif deployment is shift.target or _whole(service, shift.source, alive):
            deployment.keep = 0
    for deployment in [*others, primary]:
        wanted = deployment.keep
        if deployment is primary:
            wanted = service.desired if back or shift.reached("SCALE_UP") else 0
        renewed = deployment in (primary, shift.source) and now >= deployment.not_before
        scheduler.balance(decision, deployment, alive, wanted, _WITHOUT_LIMIT, renewed)
    there = {t.deployment for t in tasks if t.alive or t.leaving}
    rest = [d for d in others if d in there]
    decision.completed = not rest and (back or shift.reached("CLEAN_UP"))
    decision.forget = [d for d in others if d not in rest and d is not shift.source]
    if decision.completed:
        decision.forget = list(others)
    return decision


def _whole(service: Service, deployment: Deployment | None, alive: Alive) -> bool:
    """Whether a deployment serves alone what the service is to serve."""
    return deployment is None or (
        sum(task.fit for task in alive[deployment]) >= service.desired
    )  # fmt: skip


def advance(
    service: Service,
    rollout: Rollout,
    tasks: Iterable[Task],
    at: float,
    scaled: Callable[[float], float],
    told: dict[str, Any],
) -> bool:
    """Goes on through the stages as far as it can; whether any was left.

    Args:
        at: monotonic seconds.
        scaled: seconds here for seconds of AWS.
        told: what hooks are told besides the traffic's weights.

    Raises ApiError when a listener rule is gone.
    """
    shift, moved = rollout.shift, False
    if shift.since is None:
        shift.since = at
    while shift.stage != STAGES[-1] and _done(service, rollout, list(tasks), at, scaled, told):
        shift.enter(STAGES[STAGES.index(shift.stage) + 1], at)
        moved = True
    return moved


def _done(
    service: Service,
    rollout: Rollout,
    tasks: list[Task],
    at: float,
    scaled: Callable[[float], float],
    told: dict[str, Any],
) -> bool:
    """Whether the present stage is over; does what it is there for."""
    shift, configuration = rollout.shift, rollout.configuration

    def agreed(stage: str = shift.stage) -> bool:
        return shift.hooks is None or shift.hooks.passed(stage, shift.step, _event(shift, told))

    if shift.stage == "RECONCILE_SERVICE":
        known = (shift.target, shift.source)
        if all(t.deployment in known for t in tasks if t.alive or t.leaving):
            return len(rollout.sources) < 2 or agreed()
        return False
    if shift.stage == "PRE_SCALE_UP":
        if agreed():
            # Both groups must be a rule's, or the new targets would not be checked.
            shift.turn(0.0 if shift.source else 100.0, trial=False)
            return True
        return False
    if shift.stage == "SCALE_UP":
        own = [t for t in tasks if t.deployment is shift.target and t.alive]
        return len(own) == service.desired and all(t.fit for t in own)
    if shift.stage == "TEST_TRAFFIC_SHIFT":
        if not shift.trial:
            shift.turn(100.0, trial=True)
        return agreed()
    if shift.stage == "PRODUCTION_TRAFFIC_SHIFT":
        return _stepped(shift, strategy.steps(configuration), at, scaled, agreed)
    if shift.stage == "BAKE_TIME":
        return at - shift.since >= scaled(60 * (configuration.get("bakeTimeInMinutes") or 0))
    return agreed()  # the stages that are there for hooks alone


def _stepped(
    shift: Shift,
    steps: list[strategy.Step],
    at: float,
    scaled: Callable[[float], float],
    agreed: Callable[[str], bool],
) -> bool:
    """Turns the clients by one step after another; whether the last one is over."""
    while shift.step < len(steps):
        share, minutes = steps[shift.step]
        if shift.share != share:
            if not agreed("PRE_PRODUCTION_TRAFFIC_SHIFT"):
                return False
            shift.turn(share, trial=False)
            shift.since = at
        if not agreed("PRODUCTION_TRAFFIC_SHIFT"):
            return False
        if at - shift.since < scaled(60 * minutes):
            return False
        shift.step += 1
    return True


def _event(shift: Shift, told: dict[str, Any]) -> dict[str, Any]:
    def weights(share: float) -> dict[str, float]:
        source = {shift.source.revision_id: 100 - share} if shift.source else {}
        return {**source, shift.target.revision_id: share}

    return {
        **told,
        "executionDetails": {
            **told["executionDetails"],
            "testTrafficWeights": weights(shift.trial),
            "productionTrafficWeights": weights(shift.share),
        },
    }
