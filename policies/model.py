"""What a policy is made of: rules, the resources they judge, and what is known about the run.

A resource's values are those that it will have after the apply. What can't be known before the
apply is `UNKNOWN`, at any depth; text that is known in part holds `⟦address.attribute⟧` where
the rest will stand (sources.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class Unknown:
    """A value that is known after the apply only; there is one, `UNKNOWN`."""

    def __repr__(self) -> str:
        return "(known after apply)"

    def __bool__(self) -> bool:
        raise TypeError("UNKNOWN is neither true nor false: compare with `is UNKNOWN`")


UNKNOWN = Unknown()


@dataclass
class Resource:
    """One managed resource of a plan.

    Attributes:
        values: after the apply, None where it will be gone.
        before: in the state, None where it is not in it.
        marks: Terraform's sensitivity marks of `values`.
        actions: Terraform's, as ["delete", "create"].
        touched: whether the plan makes, changes, moves or imports it.
        provider: key of the provider's configuration.
        configured: returns what the HCL sets; what else it has, the provider learned. None: not
            known. (A plan's own list of expressions leaves dynamic blocks out.)
    """

    address: str
    type: str
    values: dict[str, Any] | None
    before: dict[str, Any] | None = None
    marks: Any = False
    actions: tuple[str, ...] = ("create",)
    touched: bool = True
    provider: str = ""
    configured: Callable[[], frozenset[str] | None] = lambda: None

    def get(self, path: str) -> Any:
        """Return the value at a path such as `encrypt_at_rest.0.enabled`; None where none is."""
        return look(self.values, path)

    def sets(self, key: str) -> bool:
        """Return whether the HCL sets an attribute or block, as far as one can know."""
        known = self.configured()
        return known is None or key in known

    def is_sensitive(self, key: str) -> bool:
        marks = self.marks
        return marks is True or (isinstance(marks, Mapping) and bool(marks.get(key)))


def look(value: Any, path: str) -> Any:
    """Return the value at a dotted path; UNKNOWN where the path leads through it, else None."""
    for step in path.split("."):
        if value is UNKNOWN:
            return UNKNOWN
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def blocks(value: Any) -> list[Any]:
    """Return nested blocks as a list; [UNKNOWN] where it can't be known which there will be."""
    if value is UNKNOWN:
        return [UNKNOWN]
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


@dataclass
class View:
    """All that a rule may look at.

    Attributes:
        protected: the inventory lets nobody destroy this environment.
        allow_http: the inventory allows plain HTTP at the load balancer.
        open_groups: security groups of other stacks that the internet reaches.
        fill: returns a value of a resource that the plan leaves unknown, as far as the
            configuration tells it (sources.py); UNKNOWN where it does not.
        whole: all resources are in view, so that what is missing is missing.
    """

    stack: str = ""
    environment: str = ""
    account_id: str = ""
    protected: bool = False
    allow_http: bool = False
    open_groups: frozenset[str] = frozenset()
    resources: list[Resource] = field(default_factory=list)
    fill: Callable[[Resource, str], Any] = lambda resource, path: UNKNOWN
    whole: bool = True

    def of(self, *types: str) -> list[Resource]:
        """Return the resources of some types that will be there after the apply."""
        return [one for one in self.resources if one.type in types and one.values is not None]

    def value(self, resource: Resource, key: str) -> Any:
        """Return an attribute, completed from the configuration where the plan can't know it."""
        found = resource.get(key)
        return self.fill(resource, key) if has_unknown(found) else found

    def same(self, one: Any, resource: Resource, *attributes: str) -> bool:
        """Return whether a value names a resource: by its known value or by reference."""
        if not isinstance(one, str):
            return False
        known = {resource.get(name) for name in attributes if isinstance(resource.get(name), str)}
        return one in known or any(one == f"⟦{resource.address}.{name}⟧" for name in attributes)


def has_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(has_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(has_unknown(part) for part in value)
    return value is UNKNOWN


Check = Callable[[Resource, View], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """One policy.

    Attributes:
        title: what holds, as a sentence.
        cure: one sentence that says how to mend what breaks it.
        types: resource types that it judges; () judges all.
        check: yields what is wrong with a resource, each a clause without a full stop.
        related: types whose change makes the resources they belong to be judged again.
        alone: whether one resource can be judged without the others.
    """

    id: str
    title: str
    cure: str
    types: tuple[str, ...]
    check: Check
    related: tuple[str, ...] = ()
    alone: bool = True


RULES: list[Rule] = []


def rule(
    id: str, title: str, cure: str, types: tuple[str, ...] | list[str],
    related: tuple[str, ...] = (), alone: bool = True,
) -> Callable[[Check], Check]:  # fmt: skip
    """Register a function as the check of a rule."""

    def register(check: Check) -> Check:
        RULES.append(Rule(id, title, cure, tuple(types), check, related, alone))
        return check

    return register


@dataclass(frozen=True)
class Allowed:
    """A resource that a rule lets pass, and why."""

    rule: str
    stack: str
    address: str
    why: str


def document(value: Any) -> Any:
    """Return a policy's JSON as data: a dict, UNKNOWN, or None for none.

    Raises ValueError where it is no JSON.
    """
    if value is None or value == "" or value is UNKNOWN or isinstance(value, Mapping):
        return value or None if value is not UNKNOWN else UNKNOWN
    return json.loads(value)
