"""Load balancers' metrics under AWS's names: requests from HAProxy's log, health from the API."""

import time
from collections import Counter
from collections.abc import Mapping

from drydock.controller import Cloud, Controller
from drydock.controllers.load_balancer import configuration as conf
from drydock.controllers.load_balancer import runtime
from drydock.controllers.load_balancer.access_log import FILE, AccessLog, Tally, tally
from drydock.controllers.load_balancer.proxy import folder
from drydock.moto import elbv2
from drydock.moto.elbv2 import LoadBalancer

_NAMESPACE = {"application": "AWS/ApplicationELB", "network": "AWS/NetworkELB"}
_ANSWER_SECONDS = 1  # a load balancer that hangs must not hold the others' metrics up
_MOST_SECONDS = 2.0  # between two publications, so that no period closes half filled


class LoadBalancerMeter(Controller):
    """Publishes; apart from the controller, whose passes may wait for an HAProxy to start."""

    name = "load-balancer-metrics"

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self.interval = min(_MOST_SECONDS, cloud.settings.scaled(60) / 5)
        self._logs: dict[str, AccessLog] = {}

    def reconcile(self) -> None:
        balancers = {balancer.arn: balancer for balancer in elbv2.load_balancers()}
        for arn in self._logs.keys() - balancers.keys():
            del self._logs[arn]
        for arn, balancer in balancers.items():
            healthy = self._health(balancer)
            if balancer.kind == "application":
                path = folder(self.cloud.settings, arn) / FILE
                log = self._logs.setdefault(arn, AccessLog(path))
                while lines := log.read():
                    for second, counted in tally(lines).items():
                        publish(self.cloud.metrics, balancer, second, counted, healthy)
                self._connections(balancer)

    def _health(self, balancer: LoadBalancer) -> Mapping[str, int]:
        """Publishes host counts; returns backend's name → healthy targets."""
        found = {}
        for arn in balancer.target_groups:
            states = Counter(target.health.state for target in elbv2.targets(arn))
            found[conf.backend_name(arn)] = states["healthy"]
            for name, state in (("HealthyHostCount", "healthy"),
                                ("UnHealthyHostCount", "unhealthy")):  # fmt: skip
                self.cloud.metrics.put(
                    _region(balancer), _NAMESPACE[balancer.kind], name,
                    _dimensions(balancer, arn), states[state], "Count",
                )  # fmt: skip
        return found

    def _connections(self, balancer: LoadBalancer) -> None:
        admin = runtime.Admin(folder(self.cloud.settings, balancer.arn))
        try:
            current, old = runtime.workers(admin.ask(["show proc"], _ANSWER_SECONDS))
            asked = [admin.ask([f"@!{pid} show stat -1 5 -1"], _ANSWER_SECONDS)
                     for pid in (current, *old)]  # fmt: skip
        except OSError:
            return
        number = sum(row.in_flight for text in asked for row in runtime.servers(text).values())
        if number:
            self.cloud.metrics.put(
                _region(balancer), _NAMESPACE[balancer.kind], "ActiveConnectionCount",
                _dimensions(balancer), number, "Count",
            )  # fmt: skip


def publish(
    metrics: object, balancer: LoadBalancer, second: int, counted: Tally, healthy: Mapping[str, int]
) -> None:
    """Hands one second of requests over.

    Args:
        metrics: a :class:`drydock.metrics.Metrics`.
        second: since the epoch.
        healthy: backend's name → healthy targets.
    """
    # Requests that end within this second may be read in two pieces; sums add up.
    at = min(float(second), time.time())

    def put(name: str, values: object, unit: str, dimensions: Mapping[str, str]) -> None:
        metrics.put(_region(balancer), _NAMESPACE["application"], name, dimensions, values, unit,
                    at)  # fmt: skip

    own = Counter(counted.own)
    for arn in balancer.target_groups:
        backend = conf.backend_name(arn)
        own.update(counted.groups.get(backend, {}))
        both = _dimensions(balancer, arn)
        for name, number in counted.groups.get(backend, {}).items():
            put(name, number, "Count", both)
        if times := counted.times.get(backend):
            put("TargetResponseTime", times, "Seconds", both)
            put("TargetResponseTime", times, "Seconds", _dimensions(balancer))
        if requests := counted.groups.get(backend, {}).get("RequestCount"):
            share = requests / max(healthy.get(backend, 0), 1)
            only = {"TargetGroup": both["TargetGroup"]}
            for dimensions in (both, only):
                put("RequestCountPerTarget", share, "Count", dimensions)
    for name, number in own.items():
        put(name, number, "Count", _dimensions(balancer))


def _region(balancer: LoadBalancer) -> str:
    return balancer.arn.split(":")[3]


def _dimensions(balancer: LoadBalancer, target_group: str | None = None) -> dict[str, str]:
    made = {"LoadBalancer": balancer.arn.split(":loadbalancer/")[-1]}
    return made | ({"TargetGroup": target_group.split(":")[-1]} if target_group else {})
