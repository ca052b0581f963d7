"""The gate: whether a plan may be applied here, and if not, what is wrong and how to mend it.

Input is the JSON of `terraform show -json PLAN` (format 1.x). It answers three questions:
whose plan is it (foreign), what would it take away (loss), and which policy would it break
(policies/, one definition per rule).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.gate_loss import Loss, losses
from ansible_collections.drydock.ops.plugins.module_utils.hcl_sources import Sources
from ansible_collections.drydock.ops.plugins.module_utils.policies import RULES
from ansible_collections.drydock.ops.plugins.module_utils.policies.model import (
    UNKNOWN,
    Resource,
    Rule,
    View,
)

ACCOUNT = re.compile(r"^arn:[^:]*:[^:]*:[^:]*:(\d{12}):")
REASON = 10  # letters that a reason has at least


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a plan from being applied."""

    rule: str
    address: str
    problem: str
    cure: str

    def __str__(self) -> str:
        where = f"{self.address}: " if self.address else ""
        return f"{where}{self.problem} ({self.rule}). {self.cure}"


@dataclass
class Judgement:
    """What the gate says of a plan.

    Attributes:
        findings: what is wrong, whatever budget was given.
        losses: what data or protection would be taken away, counted against the budget.
    """

    findings: list[Finding] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    def refusals(self, budget: str, reason: str) -> list[str]:
        """Return the sentences that refuse the plan; none where it may be applied.

        budget: how many losses this run may bring about, a number or `all`.
        """
        found = [str(one) for one in self.findings]
        if not self.losses:
            return found
        wrong = wrong_budget(budget, reason)
        if wrong:
            return [*found, wrong]
        if budget != "all" and len(self.losses) > int(budget):
            found += [
                f"{loss.address}: {loss.what} (DRYDOCK_LOSS). Undo that change, or allow it once "
                f"with -e allow_destroy={len(self.losses)} -e allow_destroy_reason='why, and who "
                "agreed'."
                for loss in self.losses
            ]
        return found


def wrong_budget(budget: str, reason: str) -> str:
    """Return what is wrong with the budget that was given; nothing where it is fine."""
    if budget != "all" and not re.fullmatch(r"\d{1,3}", budget):
        return (
            f"allow_destroy is {budget!r}, which is not a number: give how many resources with "
            "data may be taken away, for example -e allow_destroy=1."
        )
    if budget != "0" and len(re.findall(r"\w", reason)) < REASON:
        return (
            f"allow_destroy is {budget}, but allow_destroy_reason is {reason!r}: say why, and who "
            "agreed, with -e allow_destroy_reason='…'; it goes into the evidence."
        )
    return ""


def merge(value: Any, unknown: Any) -> Any:
    """Return a value with UNKNOWN wherever Terraform marks it so."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping) and unknown:
        held = value if isinstance(value, Mapping) else {}
        return {key: merge(held.get(key), unknown.get(key)) for key in {**held, **unknown}}
    if isinstance(unknown, list) and unknown:
        held = value if isinstance(value, list) else []
        size = max(len(held), len(unknown))
        return [
            merge(held[i] if i < len(held) else None, unknown[i] if i < len(unknown) else None)
            for i in range(size)
        ]
    return value


def resources_of(plan: Mapping[str, Any]) -> list[Resource]:
    """Return the managed resources of a plan, those that stay as they are included."""
    written = dict(_configured(plan))
    found = []
    for entry in plan.get("resource_changes") or []:
        if entry.get("mode") == "data":
            continue
        change = entry["change"]
        actions = tuple(change["actions"])
        gone = actions in (("delete",), ("forget",))
        after = None if gone else merge(change.get("after"), change.get("after_unknown"))
        block = written.get(re.sub(r"\[[^\]]*\]", "", entry["address"])) or {}
        moved = entry.get("previous_address") not in (None, entry["address"])
        found.append(
            Resource(
                address=entry["address"] + (" (deposed)" if entry.get("deposed") else ""),
                type=entry["type"],
                values=after if isinstance(after, dict) else None if gone else {},
                before=change.get("before"),
                marks=change.get("after_sensitive"),
                actions=actions,
                touched=actions not in (("no-op",), ("read",))
                or moved or bool(change.get("importing")),
                provider=block.get("provider_config_key", ""),
            )
        )  # fmt: skip
    return found


def _configured(plan: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    def walk(module: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for one in module.get("resources") or []:
            yield prefix + one["address"], one
        for name, call in (module.get("module_calls") or {}).items():
            yield from walk(call.get("module") or {}, f"{prefix}module.{name}.")

    yield from walk((plan.get("configuration") or {}).get("root_module") or {}, "")


def foreign(plan: Mapping[str, Any], environment: str, account_id: str) -> Iterator[Finding]:
    """Yield why a plan is not one of this environment and account, or no whole plan."""
    again = "Plan again with this environment's inventory."
    version = str(plan.get("format_version", ""))
    if not version.startswith("1."):
        yield Finding(
            "DRYDOCK_PLAN", "", f"the plan's JSON has format {version or '(none)'}, not 1.x",
            "Make it with terraform show -json of the pinned version.",
        )  # fmt: skip
        return
    if plan.get("errored"):
        yield Finding("DRYDOCK_PLAN", "", "the plan ended in an error", "Mend that and plan again.")
    if plan.get("deferred_changes"):
        yield Finding(
            "DRYDOCK_PLAN", "", "the plan puts off a part of its changes", "Plan all of it at once."
        )
    for name, wanted in (("environment", environment), ("account_id", account_id)):
        said = (plan.get("variables") or {}).get(name, {}).get("value")
        if said != wanted:
            yield Finding(
                "DRYDOCK_FOREIGN", "",
                f"the plan was made for {name} {said or '(none)'}, and this is {wanted}", again,
            )  # fmt: skip
    for entry in plan.get("resource_changes") or []:
        if entry.get("mode") == "data":
            continue
        arn = (entry["change"].get("before") or {}).get("arn")
        account = ACCOUNT.match(arn) if isinstance(arn, str) else None
        if account and account.group(1) != account_id:
            yield Finding(
                "DRYDOCK_FOREIGN", entry["address"],
                f"the state holds it in account {account.group(1)}, and this is {account_id}",
                again,
            )  # fmt: skip
            return


def _judged(rule: Rule, resource: Resource, view: View) -> bool:
    """Return whether the plan touches a resource, or what a rule says belongs to it."""
    if rule.types and resource.type not in rule.types:
        return False
    if resource.values is None:
        return False
    return resource.touched or any(
        one.touched and one.type in rule.related for one in view.resources
    )


def broken(view: View) -> Iterator[Finding]:
    """Yield what breaks a policy among the resources that the plan touches."""
    for rule in RULES:
        for resource in view.resources:
            if not _judged(rule, resource, view):
                continue
            try:
                problems = list(dict.fromkeys(rule.check(resource, view)))
            except Exception as error:  # what can't be judged does not pass
                problems = [f"the rule could not judge it ({type(error).__name__}: {error})"]
            if resource.touched:
                yield from (Finding(rule.id, resource.address, one, rule.cure) for one in problems)
            elif problems:
                # Broken before this plan: only what the plan adds counts.
                earlier = _before(rule, resource, view)
                yield from (
                    Finding(rule.id, resource.address, one, rule.cure)
                    for one in problems if one not in earlier
                )  # fmt: skip


def _before(rule: Rule, resource: Resource, view: View) -> list[str]:
    """Return what a rule finds in the state as it is now."""
    old = [
        Resource(
            one.address, one.type, one.before, provider=one.provider, configured=one.configured
        )
        for one in view.resources
        if one.before is not None
    ]
    now = View(**{**vars(view), "resources": old})
    same = next((one for one in old if one.address == resource.address), resource)
    try:
        return list(rule.check(same, now))
    except Exception:
        return []


def judge(
    plan: Mapping[str, Any],
    *,
    stack: str,
    environment: str,
    account_id: str,
    project_path: str | Path = "",
    protected: bool = False,
    allow_http: bool = False,
    open_groups: tuple[str, ...] | list[str] = (),
) -> Judgement:
    """Judge a plan's JSON.

    project_path: folder of the stack's HCL, read where the plan alone leaves a policy's text
    unknown; without it such a text is refused. protected: whether the inventory protects the
    environment. open_groups: IDs of security groups that the internet reaches.
    """
    findings = list(foreign(plan, environment, account_id))
    if findings:
        return Judgement(findings)  # of another's plan nothing else matters
    resources = resources_of(plan)
    sources = Sources(plan, project_path) if project_path else None
    view = View(
        stack=stack,
        environment=environment,
        account_id=account_id,
        protected=protected,
        allow_http=allow_http,
        open_groups=frozenset(open_groups),
        resources=resources,
    )
    if sources:
        view.fill = sources.fill
        for resource in resources:
            resource.configured = partial(sources.configured, resource)
    findings += broken(view)
    return Judgement(findings, losses(plan))
