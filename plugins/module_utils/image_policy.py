"""Which findings stop an image, by a policy that is data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.advisories import OUTDATED, Finding

SEVERITIES = ("critical", "high", "medium", "low", "unknown", OUTDATED)
SOURCES = ("debian", "osv")


class PolicyError(Exception):
    """The policy can't be applied; the text says what is wrong with it."""


@dataclass
class Verdict:
    """What a policy says of an image.

    Attributes:
        refused: findings that stop it. excepted: (finding, reason). told: what stops nothing.
        silent: sentences on sources that did not answer, of which the policy wants an answer.
        notes: sentences on what was not asked, or no longer holds.
    """

    refused: list[Finding] = field(default_factory=list)
    excepted: list[tuple[Finding, str]] = field(default_factory=list)
    told: list[Finding] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _day(value: Any, where: str) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError as error:
        raise PolicyError(
            f'{where} ends at "{value}", which is no day: write it as 2030-12-31.'
        ) from error


def check(policy: dict[str, Any]) -> None:
    """Raise PolicyError where a policy says what can't be meant."""
    known = {"refuse", "refuse_unfixed", "sources", "unreachable", "exceptions"}
    if unknown := sorted(set(policy) - known):
        raise PolicyError(f"image_policy has {', '.join(unknown)}, which mean nothing: it takes "
                          f"{', '.join(sorted(known))}.")  # fmt: skip
    if wrong := sorted(set(policy.get("refuse", [])) - set(SEVERITIES)):
        raise PolicyError(f"image_policy.refuse has {', '.join(wrong)}: give some of "
                          f"{', '.join(SEVERITIES)}.")  # fmt: skip
    for source, what in policy.get("unreachable", {}).items():
        if source not in SOURCES or what not in ("refuse", "tell"):
            raise PolicyError(f"image_policy.unreachable has {source}: {what}: give debian and osv "
                              "each refuse or tell.")  # fmt: skip
    for one in policy.get("exceptions", []):
        where = f"The exception for {one.get('package', '?')}"
        lacks = [key for key in ("package", "advisory", "reason", "until") if not one.get(key)]
        if lacks:
            raise PolicyError(f"{where} has no {' and no '.join(lacks)}: say all four, so that it "
                              "ends and somebody knows why.")  # fmt: skip
        _day(one["until"], where)


def judge(
    findings: list[Finding], silent: dict[str, str], policy: dict[str, Any], today: date
) -> Verdict:
    """Hold findings against a policy.

    silent: source → why it did not answer. Raises PolicyError.
    """
    check(policy)
    verdict = Verdict()
    for source, why in silent.items():
        strict = policy.get("unreachable", {}).get(source, "refuse") == "refuse"
        (verdict.silent if strict else verdict.notes).append(f"{source} was not asked: {why}")
    exceptions = policy.get("exceptions", [])
    for one in exceptions:
        if _day(one["until"], "An exception") < today:
            verdict.notes.append(f"the exception for {one['package']} ({one['advisory']}) ended on "
                                 f"{one['until']}")  # fmt: skip
    for found in findings:
        reason = next((one["reason"] for one in exceptions if _covers(one, found, today)), "")
        stops = found.severity in policy.get("refuse", []) and (
            bool(found.fixed) or policy.get("refuse_unfixed", False)
        )
        if stops and reason:
            verdict.excepted.append((found, reason))
        else:
            (verdict.refused if stops else verdict.told).append(found)
    return verdict


def _covers(exception: dict[str, Any], found: Finding, today: date) -> bool:
    return (
        exception["package"] == found.package
        and exception["advisory"] in found.names
        and _day(exception["until"], "An exception") >= today
    )


def refusal(image: str, verdict: Verdict) -> str:
    """Return the sentence that stops an image; empty where nothing does."""
    if verdict.refused:
        shown = "; ".join(one.sentence() for one in verdict.refused[:8])
        more = len(verdict.refused) - 8
        rest = f"; and {more} more" if more > 0 else ""
        return (
            f"{image} was not pushed, for what is known of it: {shown}{rest}. Take the versions "
            "that mend it (a newer base in base_images, `make lock` for requirements), or note an "
            "exception with its reason and end in image_policy.exceptions. Nothing was changed."
        )
    if verdict.silent:
        return (
            f"{image} was not pushed, because it can't be judged: {'; '.join(verdict.silent)}. "
            "Have the source reached, name another in image_policy.sources, or let "
            "image_policy.unreachable tell it instead of refusing. Nothing was changed."
        )
    return ""
