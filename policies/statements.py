"""Statements of IAM's and resources' policies: who is allowed what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .model import UNKNOWN

# All resources, or all actions, however they are spelled.
ANY_RESOURCE = re.compile(r"[*?]+|arn:[*?]+|arn:(aws[a-z-]*|[*?]+)(:[*?]*)*:?[*?]+")
ANY_ACTION = re.compile(r"[*?]+(:[*?]+)?")
# Conditions that tie an open principal to this organisation, account, network or resource.
TYING = re.compile(
    r"aws:(source(arn|account|owner|vpce?|ip|orgid|orgpaths)|principal(arn|account|orgid|orgpaths))"
    r"|kms:(calleraccount|viaservice)|lambda:functionurlauthtype|elasticfilesystem:",
    re.I,
)


# What a reference may stand for: a name or ARN that AWS gives, not somebody's text.
IDENTITY = re.compile(r"⟦(?!data\.)[^⟧]*\.(\w*_)?(arn|id|name|bucket|url)⟧")


def vague(value: Any) -> bool:
    """Return whether a value could be anything once it is known."""
    if value is UNKNOWN:
        return True
    return (
        isinstance(value, str)
        and "⟦" in IDENTITY.sub("", value)
        and not re.match(r"arn:[^⟦]+:[^⟦]", value)
    )


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def statements(document: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the statements of a policy document; one that is unknown stands for any."""
    if not isinstance(document, Mapping):
        return
    for one in listed(document.get("Statement")):
        if one is UNKNOWN:
            yield {
                "Sid": "(unknown)",
                **dict.fromkeys(("Action", "Resource", "Principal"), UNKNOWN),
            }
        elif isinstance(one, Mapping):
            yield one


def may_allow(statement: Mapping[str, Any]) -> bool:
    return statement.get("Effect", "Allow") is UNKNOWN or statement.get("Effect") != "Deny"


def _any(values: Any, pattern: re.Pattern[str]) -> bool:
    return any(isinstance(one, str) and pattern.fullmatch(one.strip()) for one in listed(values))


def everything(document: Any) -> Iterator[str]:
    """Yield a clause for each statement that allows, or may allow, everything."""
    for statement in statements(document):
        if not may_allow(statement):
            continue
        name = f"statement {statement['Sid']}" if statement.get("Sid") else "a statement"
        actions, resources = listed(statement.get("Action")), listed(statement.get("Resource"))
        wide = _any(resources, ANY_RESOURCE) or "NotResource" in statement
        if "NotAction" in statement and wide:
            yield f"{name} allows all but some actions (NotAction) on all resources"
        elif _any(actions, ANY_ACTION) and wide:
            yield f"{name} allows all actions on all resources"
        elif any(vague(one) for one in actions) and (wide or any(vague(one) for one in resources)):
            yield f"what {name} allows can't be known before the apply"


def principals(statement: Mapping[str, Any]) -> list[Any]:
    """Return the AWS and federated principals of a statement; ["*"] for everybody."""
    who = statement.get("Principal")
    if isinstance(who, Mapping):
        return [*listed(who.get("AWS")), *listed(who.get("*")), *listed(who.get("CanonicalUser"))]
    return listed(who)


def open_to_all(document: Any) -> Iterator[str]:
    """Yield a clause for each statement that allows everybody something without a tie."""
    for statement in statements(document):
        if not may_allow(statement):
            continue
        name = f"statement {statement['Sid']}" if statement.get("Sid") else "a statement"
        if "NotPrincipal" in statement:
            yield f"{name} allows all but some principals (NotPrincipal)"
        everybody = any(
            isinstance(one, str) and (one == "*" or re.fullmatch(r"arn:aws[a-z-]*:iam::\*:.*", one))
            for one in principals(statement)
        )
        if everybody and not tied(statement):
            yield f"{name} allows everybody (Principal *)"
        elif any(vague(one) for one in principals(statement)) and not tied(statement):
            yield f"whom {name} allows can't be known before the apply"


def tied(statement: Mapping[str, Any]) -> bool:
    """Return whether a condition narrows a statement to known callers."""
    conditions = statement.get("Condition")
    if conditions is UNKNOWN:
        return False
    for operator, pairs in (conditions or {}).items() if isinstance(conditions, Mapping) else ():
        if "Not" in str(operator) or "IfExists" in str(operator) or not isinstance(pairs, Mapping):
            continue
        for key, values in pairs.items():
            wide = any(one in ("*", "0.0.0.0/0", "::/0") for one in listed(values))
            if TYING.match(str(key)) and not wide:
                return True
    return False


def loose_federation(document: Any) -> Iterator[str]:
    """Yield a clause where a web identity is trusted without saying whose (claim sub)."""
    for statement in statements(document):
        who = statement.get("Principal")
        if not may_allow(statement) or not isinstance(who, Mapping) or "Federated" not in who:
            continue
        if "AssumeRoleWithWebIdentity" not in str(statement.get("Action")):
            continue
        subjects = [
            value
            for pairs in (statement.get("Condition") or {}).values()
            for key, values in pairs.items()
            if str(key).endswith(":sub")
            for value in listed(values)
        ]
        wide = [
            one
            for one in subjects
            if isinstance(one, str) and re.match(r"(repo:)?\*|repo:[^/]*\*|repo:[^/:]+/\*", one)
        ]
        if not subjects or wide:
            said = wide[0] if wide else "not asked for"
            yield f"it trusts any identity of the provider (claim sub is {said})"


def denies_plain_transport(document: Any) -> bool:
    """Return whether a bucket's policy denies everybody what does not come by TLS."""
    for statement in statements(document):
        tls = (statement.get("Condition") or {}).get("Bool", {})
        said = (
            {str(key).lower(): value for key, value in tls.items()}
            if isinstance(tls, Mapping)
            else {}
        )
        if (
            statement.get("Effect") == "Deny"
            and "*" in principals(statement)
            and str(said.get("aws:securetransport")).strip("[]'\" ").lower() == "false"
            and any(one in ("*", "s3:*") for one in listed(statement.get("Action")))
        ):
            return True
    return False
