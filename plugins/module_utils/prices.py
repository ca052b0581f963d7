"""What resources cost a month, from the dated price table in costs/ and the assumptions beside it.

Amounts are US dollars a month of 730 hours, on demand, in us-east-1, without free tiers, support
and taxes. A resource type is priced (price_rules), free (costs/free.yml, with the reason) or
unknown; an unknown one is listed, so that it never counts as zero silently.

    prices = load(Path("costs"), "dev")
    cost = cost_of(resources_of(plan), prices)        # of what the plan would leave
    change = plan_delta(plan, prices)                 # before → after
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.drydock.ops.plugins.module_utils.price_rules import (
    Context,
    Line,
    Resource,
    Unpriced,
)
from ansible_collections.drydock.ops.plugins.module_utils.price_rules_data import RULES

UNTAGGED = "(untagged)"


class PriceError(Exception):
    """A table or document that can't be used; the text names file, reason and cure."""


@dataclass(frozen=True)
class Prices:
    """The tables of one environment.

    Attributes:
        rows: ``section.key`` → (US dollars, per which unit, name of the AWS service).
        usage: assumption → amount in this environment.
        patterns: (pattern of addresses, assumption → amount), the later wins.
        free: resource type → why it costs nothing by itself.
        tasks: ECS service → its least number of tasks, where the plan cannot know.
        about: assumption → (its amount, what it is about).
    """

    rows: Mapping[str, tuple[float, str, str]]
    usage: Mapping[str, float]
    patterns: tuple[tuple[str, Mapping[str, float]], ...]
    free: Mapping[str, str]
    tasks: Mapping[str, float]
    about: Mapping[str, tuple[float, str]]


@dataclass(frozen=True)
class Item:
    """One line of the bill; `assumed` names the assumption that its quantity stands on."""

    address: str
    type: str
    stack: str
    service: str
    tags: Mapping[str, str]
    what: str
    quantity: float
    unit: str
    price: float
    assumed: str

    @property
    def monthly(self) -> float:
        """US dollars a month."""
        return self.quantity * self.price


@dataclass
class Cost:
    """What a set of resources costs.

    Attributes:
        items: the lines of the bill.
        free: resource type → how many of it were seen that cost nothing by themselves.
        unknown: address → why it has no price. Not in the total: say so wherever it is shown.
    """

    items: list[Item] = field(default_factory=list)
    free: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """US dollars a month of all that has a price."""
        return sum(item.monthly for item in self.items)

    @property
    def assumed(self) -> float:
        """The part of the total that stands on assumptions about usage."""
        return sum(item.monthly for item in self.items if item.assumed)

    def by(self, key: str) -> dict[str, float]:
        """Return US dollars a month by `stack`, `service`, `address` or a tag (`tag:Owner`).

        The dearest first.
        """
        found: Counter[str] = Counter()
        for item in self.items:
            if key.startswith("tag:"):
                name = item.tags.get(key.removeprefix("tag:"), UNTAGGED)
            else:
                name = getattr(item, key)
            found[name] += item.monthly  # type: ignore[assignment]
        return dict(sorted(found.items(), key=lambda one: -one[1]))


@dataclass
class Delta:
    """The difference between two costs: `changes` is address → (before, after), where unlike."""

    before: Cost
    after: Cost
    changes: dict[str, tuple[float, float]]

    @property
    def monthly(self) -> float:
        """US dollars a month that are added (negative: saved)."""
        return self.after.total - self.before.total

    @property
    def unknown(self) -> dict[str, str]:
        """What is new and has no price: address → reason."""
        return {
            address: reason
            for address, reason in self.after.unknown.items()
            if address not in self.before.unknown
        }

    def sentence(self) -> str:
        """Return the difference as one line."""
        sign = "+" if self.monthly >= 0 else "-"
        text = (
            f"{sign}${abs(self.monthly):,.2f} a month "
            f"(${self.before.total:,.2f} → ${self.after.total:,.2f})"
        )
        if self.unknown:
            text += f", and {len(self.unknown)} without a known price"
        return text


def load(folder: Path, environment: str, tasks: Mapping[str, float] | None = None) -> Prices:
    """Return the tables in a folder (prices.yml, usage.yml, free.yml) for one environment.

    Raises:
        PriceError: a file is missing or a row lacks what it needs.
    """
    rows = {}
    for section, table in _read(folder / "prices.yml").items():
        for word in ("service", "source", "known", "usd"):
            if word not in table:
                raise PriceError(f"{folder}/prices.yml: {section} lacks {word}; give it.")
        for key, row in table["usd"].items():
            price, unit = (row["usd"], row["per"]) if isinstance(row, dict) else (row, table["per"])
            rows[f"{section}.{key}"] = (float(price), unit, table["service"])
    usage_file = _read(folder / "usage.yml")
    usage = {}
    for name, row in usage_file["usage"].items():
        if environment not in row:
            raise PriceError(
                f"{folder}/usage.yml: {name} has no amount for {environment}; add that column."
            )
        usage[name] = float(row[environment])
    patterns = tuple(
        (pattern, {name: float(row[environment]) for name, row in amounts.items()})
        for pattern, amounts in (usage_file.get("addresses") or {}).items()
    )
    free = {kind: reason for reason, kinds in _read(folder / "free.yml").items() for kind in kinds}
    both = sorted(set(free) & set(RULES))
    if both:
        raise PriceError(f"{folder}/free.yml: {', '.join(both)} has a price rule; remove it there.")
    about = {name: (usage[name], row["about"]) for name, row in usage_file["usage"].items()}
    return Prices(rows, usage, patterns, free, tasks or {}, about)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise PriceError(f"{path} can't be read as YAML: {error}") from error
    if not isinstance(found, dict):
        raise PriceError(f"{path} holds no mapping; see its head for the shape.")
    return found


def resources_of(
    document: Mapping[str, Any],
    moment: str = "after",
    stack: str = "",
    stacks: Collection[str] = (),
) -> list[Resource]:
    """Return the managed resources of a document that Terraform made.

    Args:
        document: the JSON of `terraform show -json` of a plan or of a state, or a state object as
            the backend keeps it (version 4).
        moment: for a plan, `after` (what it would leave) or `before` (what it started from).
        stack: name of the stack; else the resource's tag Stack, which every stack sets.
        stacks: where the document holds whole stacks as modules, their names.

    Raises:
        PriceError: the document is none of these.
    """
    if "lineage" in document:
        found = list(_of_raw_state(document))
    elif "planned_values" in document or "prior_state" in document:
        if moment == "after":
            values = document.get("planned_values") or {}
        else:
            values = (document.get("prior_state") or {}).get("values") or {}
        found = list(_of_module(values.get("root_module") or {}))
    elif "format_version" in document:
        found = list(_of_module((document.get("values") or {}).get("root_module") or {}))
    else:
        raise PriceError(
            "The document is neither a plan nor a state: give the output of "
            "`terraform show -json`, or a state object as it lies in the bucket."
        )
    return [
        Resource(address, kind, stack or _stack(address, values, stacks), values)
        for address, kind, values in found
    ]


def _stack(address: str, values: Mapping[str, Any], stacks: Collection[str]) -> str:
    words = address.split(".", 2)
    if words[0] == "module" and words[1] in stacks:
        return words[1]
    return _tags(values).get("Stack", "")


def _of_module(module: Mapping[str, Any]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    for one in module.get("resources", []):
        if one["mode"] == "managed":
            yield one["address"], one["type"], one.get("values") or {}
    for child in module.get("child_modules", []):
        yield from _of_module(child)


def _of_raw_state(state: Mapping[str, Any]) -> Iterable[tuple[str, str, dict[str, Any]]]:
    for one in state.get("resources", []):
        if one["mode"] != "managed":
            continue
        prefix = f"{one['module']}." if one.get("module") else ""
        for instance in one["instances"]:
            key = instance.get("index_key")
            index = "" if key is None else f"[{key}]" if isinstance(key, int) else f'["{key}"]'
            address = f"{prefix}{one['type']}.{one['name']}{index}"
            yield address, one["type"], instance.get("attributes") or {}


def _tags(values: Mapping[str, Any]) -> dict[str, str]:
    tags = values.get("tags_all") or values.get("tags") or {}
    # An Auto Scaling group has its tags as blocks.
    blocks = values.get("tag") if isinstance(values.get("tag"), list) else []
    return {**{one["key"]: one["value"] for one in blocks}, **tags}


def cost_of(resources: Iterable[Resource], prices: Prices) -> Cost:
    """Return what resources cost; those without a price are in `unknown`, with the reason.

    Give all resources of a stack (or an environment) at once: an ECS service is priced by its task
    definition, a group of instances by its launch template.
    """
    everything = list(resources)
    cost = Cost()
    for resource in everything:
        if resource.type in prices.free:
            cost.free[resource.type] += 1
            continue
        rule = RULES.get(resource.type)
        if not rule:
            cost.unknown[resource.address] = (
                f"{resource.type} is neither in price_rules nor in costs/free.yml"
            )
            continue
        context = Context(everything, _usage(prices, resource.address), prices.tasks)
        try:
            items = [_item(resource, line, prices) for line in rule(resource, context)]
        except Unpriced as error:
            cost.unknown[resource.address] = str(error)
            continue
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Never in the way of what asks for the price: a gate, a report of everything else.
            cost.unknown[resource.address] = f"its attributes are not as expected: {error!r}"
            continue
        cost.items += items
        cost.free[resource.type] += not items
    cost.free = +cost.free
    return cost


def _usage(prices: Prices, address: str) -> dict[str, float]:
    usage = dict(prices.usage)
    for pattern, amounts in prices.patterns:
        if fnmatchcase(address, pattern):
            usage.update(amounts)
    return usage


def _item(resource: Resource, line: Line, prices: Prices) -> Item:
    if line.price not in prices.rows:
        raise Unpriced(f"costs/prices.yml has no row {line.price}")
    price, unit, service = prices.rows[line.price]
    return Item(
        address=resource.address,
        type=resource.type,
        stack=resource.stack,
        service=service,
        tags=_tags(resource.values),
        what=line.what,
        quantity=line.quantity,
        unit=unit,
        price=price * line.factor,
        assumed=line.assumed,
    )


def with_nodes(resources: Iterable[Resource], count: int) -> list[Resource]:
    """Return the resources as they would be with so many instances in each group of instances."""
    size = {"desired_capacity": count, "min_size": count}
    return [
        replace(one, values={**one.values, **size}) if one.type == "aws_autoscaling_group" else one
        for one in resources
    ]


def together(costs: Mapping[str, Cost]) -> Cost:
    """Return the sum of several stacks' costs; addresses without a price get the stack's name."""
    whole = Cost()
    for stack, cost in costs.items():
        whole.items += cost.items
        whole.free += cost.free
        whole.unknown |= {f"{stack}: {address}": why for address, why in cost.unknown.items()}
    return whole


def delta(before: Cost, after: Cost) -> Delta:
    """Return the difference between two costs, by address."""
    old, new = before.by("address"), after.by("address")
    changes = {
        address: (old.get(address, 0.0), new.get(address, 0.0)) for address in {**old, **new}
    }
    kept = {address: pair for address, pair in changes.items() if abs(pair[1] - pair[0]) >= 0.005}
    return Delta(
        before,
        after,
        dict(sorted(kept.items(), key=lambda one: -abs(one[1][1] - one[1][0]))),
    )


def plan_delta(plan: Mapping[str, Any], prices: Prices, stack: str = "") -> Delta:
    """Return what a plan changes in the cost of its stack."""
    return delta(
        cost_of(resources_of(plan, "before", stack), prices),
        cost_of(resources_of(plan, "after", stack), prices),
    )
