"""From load balancers in the API to HAProxy containers, and health back."""

from collections.abc import Mapping
from typing import Any

from drydock.controller import Cloud, Controller
from drydock.controllers.load_balancer.proxy import Proxy
from drydock.errors import ApiError, DrydockError
from drydock.moto import elbv2, elbv2_rules
from drydock.moto.api import PASS, Context, Handler
from drydock.moto.patches import elbv2 as patches


class LoadBalancerController(Controller):
    name = "load-balancer"

    def __init__(self, cloud: Cloud):
        super().__init__(cloud)
        self._proxies: dict[str, Proxy] = {}
        patches.addresses_from(cloud.networks.allocate)
        elbv2.on_target_change(self.wake)

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        return {
            ("elbv2", "CreateListener"): self._create_listener,
            ("elbv2", "DeleteLoadBalancer"): self._delete_load_balancer,
        }

    def _create_listener(self, _context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
        if parameters.get("Protocol") in ("UDP", "TCP_UDP"):
            raise ApiError(
                "UnsupportedProtocol",
                f"The embedded cloud does not balance {parameters['Protocol']}; use TCP or TLS.",
            )
        return PASS

    def _delete_load_balancer(
        self, _context: Context, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        for balancer in elbv2.load_balancers():
            protected = balancer.attributes.get("deletion_protection.enabled") == "true"
            if balancer.arn == parameters["LoadBalancerArn"] and protected:
                raise ApiError(
                    "OperationNotPermitted",
                    f"Load balancer '{balancer.arn}' cannot be deleted because deletion "
                    "protection is enabled",
                )
        return PASS

    def reconcile(self) -> None:
        asked = elbv2_rules.asked()
        balancers = {balancer.arn: balancer for balancer in elbv2.load_balancers()}
        for arn in self._proxies.keys() - balancers.keys():
            self._proxies.pop(arn).remove()
        busy, errors = False, []
        for arn, balancer in balancers.items():
            if arn not in self._proxies:
                self._proxies[arn] = Proxy(self.cloud, balancer)
            try:
                busy |= self._proxies[arn].update(balancer)
            except (DrydockError, ApiError, OSError) as error:
                errors.append(f"{balancer.name}: {error}")
        used = {arn for balancer in balancers.values() for arn in balancer.target_groups}
        for arn in set(elbv2.target_groups()) - used:
            for target in elbv2.targets(arn):
                elbv2.observe(arn, target, None if target.draining else elbv2.NOT_IN_USE)
        if all(proxy.current for proxy in self._proxies.values()):
            elbv2_rules.carried_out(asked)
        # While targets come or go the next answer is wanted soon: deployments wait for it.
        self.interval = 0.1 if busy else 1.0
        if errors:
            raise DrydockError("; ".join(errors))

    def status(self) -> Mapping[str, object]:
        return {"load_balancers": [_shown(balancer) for balancer in elbv2.load_balancers()]}


def _shown(balancer: elbv2.LoadBalancer) -> dict[str, object]:
    ports = [listener.port for listener in balancer.listeners]
    plain = not ports or {80, 443} & set(ports)
    return {
        "name": balancer.name,
        "address": balancer.address if plain else f"{balancer.address}:{ports[0]}",
        "arn": balancer.arn,
        "state": balancer.state,
        "listeners": [
            {"port": listener.port, "protocol": listener.protocol}
            for listener in balancer.listeners
        ],
        "target_groups": [
            {
                "name": arn.rsplit("/", 2)[1],
                "targets": [
                    {
                        "target": f"{target.address}:{target.port}",
                        "state": target.health.state,
                        "reason": target.health.reason,
                    }
                    for target in elbv2.targets(arn)
                ],
            }
            for arn in balancer.target_groups
        ],
    }
