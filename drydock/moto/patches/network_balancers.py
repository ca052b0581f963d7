"""A network load balancer's ARN says net, as its metrics do (moto 5.2 calls every one app)."""

import contextvars
from typing import Any

from moto.elbv2 import models
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

_kind = contextvars.ContextVar("kind", default="app")


def apply() -> None:
    """Wraps the making of load balancers."""
    make, name = ELBv2Backend.create_load_balancer, models.make_arn_for_load_balancer

    def create(self: ELBv2Backend, *given: Any, **named: Any) -> FakeLoadBalancer:
        before = _kind.set("net" if named.get("loadbalancer_type") == "network" else "app")
        try:
            return make(self, *given, **named)
        finally:
            _kind.reset(before)

    def arn(*given: Any, **named: Any) -> str:
        return name(*given, **named).replace(":loadbalancer/app/", f":loadbalancer/{_kind.get()}/")

    ELBv2Backend.create_load_balancer, models.make_arn_for_load_balancer = create, arn
