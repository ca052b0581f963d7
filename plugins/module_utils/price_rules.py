"""How a resource type is billed: one rule per type, from its attributes to lines of the bill.

Prices stand in costs/prices.yml, assumed quantities in costs/usage.yml; what AWS bills by is said
on the pricing page that prices.yml names for the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOURS = 730.0  # AWS's month


class Unpriced(Exception):
    """A resource that a rule can't price; the text says why."""


@dataclass(frozen=True)
class Resource:
    """A resource as Terraform knows it. `values` lacks what is known after apply only."""

    address: str
    type: str
    stack: str
    values: Mapping[str, Any]

    @property
    def module(self) -> str:
        """The module instance it is in; empty for the root."""
        return self.address.rpartition(f".{self.type}.")[0]


@dataclass(frozen=True)
class Line:
    """A line before its price: quantity in the unit of the row `price` of prices.yml.

    assumed: the assumption in usage.yml that the quantity stands on, empty where it is known.
    factor: of the row's price, for a discount.
    """

    what: str
    quantity: float
    price: str
    assumed: str = ""
    factor: float = 1.0


@dataclass(frozen=True)
class Context:
    """What a rule may look at besides the resource."""

    resources: Sequence[Resource]
    usage: Mapping[str, float]
    tasks: Mapping[str, float]

    def use(self, what: str, name: str, price: str, times: float = 1.0) -> Line:
        """Return a line whose quantity is an assumption of usage.yml, times a factor."""
        if name not in self.usage:
            raise Unpriced(f"costs/usage.yml has no row {name}")
        return Line(what, self.usage[name] * times, price, assumed=name)

    def beside(self, resource: Resource, kind: str) -> list[Resource]:
        """Return the resources of a type in the same module instance."""
        return [
            one for one in self.resources if one.type == kind and one.module == resource.module
        ]


Rule = Callable[[Resource, Context], Iterator[Line]]
RULES: dict[str, Rule] = {}


def rule(*types: str) -> Callable[[Rule], Rule]:
    """Register a rule for resource types."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(types, function))
        return function

    return register


@rule("aws_nat_gateway")
def nat_gateway(_resource: Resource, context: Context) -> Iterator[Line]:
    yield Line("hours", HOURS, "nat_gateway.hour")
    yield context.use("data processed", "nat_gb", "nat_gateway.gb")
