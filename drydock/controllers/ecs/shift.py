"""How far a deployment has turned the clients from one target group to another.

Knows its own revisions, routes and stage, but neither service nor tasks: what follows for those
is in turning.py. Source of the stages: ECS API reference, ``ServiceDeployment``.
"""

from dataclasses import dataclass, field
from typing import Any

from drydock.controllers.ecs import strategy
from drydock.controllers.ecs.deployment import Deployment
from drydock.controllers.ecs.hooks import Hooks
from drydock.errors import ApiError
from drydock.moto import elbv2_rules

STAGES = (
    "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME", "CLEAN_UP",
)  # fmt: skip


@dataclass(frozen=True)
class Route:
    """A listener rule and the groups that it shares requests out between."""

    rule: str
    before: str
    after: str
    trial: bool


@dataclass(eq=False)
class Shift:
    """A deployment's way from one target group to another.

    Attributes:
        target: the new revision's deployment ("green").
        source: the deployment that serves until then ("blue"); None of a new service.
        routes: rules to turn.
        stage: of AWS's; the first is left at once where one revision alone is there.
        step: how many times the clients have been turned.
        since: monotonic time at which the stage, or its step, began.
        trial, share: percent of the trials and of the clients that the target has.
        hooks: made when they are first needed.
    """

    target: Deployment
    source: Deployment | None
    routes: tuple[Route, ...]
    stage: str = STAGES[0]
    step: int = 0
    since: float | None = None
    trial: float = 0.0
    share: float = 0.0
    hooks: Hooks | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, attributes: dict[str, Any], target: Deployment, source: Deployment | None
    ) -> "Shift":
        """Of a service as it is asked for now.

        Args:
            target: with the groups that its tasks are to register in.
        """
        routes = []
        for number, balancer in enumerate(attributes["loadBalancers"]):
            after = target.groups[number]
            before = next(group for group in strategy.pair(balancer) if group != after)
            advanced = balancer["advancedConfiguration"]
            routes.append(Route(advanced["productionListenerRule"], before, after, trial=False))
            if advanced.get("testListenerRule"):
                routes.append(Route(advanced["testListenerRule"], before, after, trial=True))
        return cls(target, source, tuple(routes))

    def reached(self, stage: str) -> bool:
        return STAGES.index(self.stage) >= STAGES.index(stage)

    def enter(self, stage: str, at: float) -> None:
        self.stage, self.since = stage, at

    def turn(self, share: float, *, trial: bool) -> None:
        """Gives the target a percentage of the clients, or of the trials.

        Raises ApiError when a rule is gone.
        """
        for route in self.routes:
            if route.trial == trial:
                shares = {route.before: 100 - share, route.after: share}
                elbv2_rules.share_out(route.rule, shares)
        if trial:
            self.trial = share
        else:
            self.share = share

    def turn_back(self) -> None:
        """Everybody back to the source, at once; a rule that is gone is left out."""
        if self.hooks:
            self.hooks.end()
        if self.source is None:
            return
        for trial in (False, True):
            try:
                self.turn(0.0, trial=trial)
            except ApiError:
                continue
