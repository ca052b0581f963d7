"""Masking of what looks like a secret, in everything that is kept or sent."""

from __future__ import annotations

import re
from typing import Any

MASK = "(redacted)"
MAX_TEXT = 4000
PATTERNS = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.S
        ),
        MASK,
    ),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"(://[^:/@\s]+:)[^@/\s]+(@)"), rf"\1{MASK}\2"),
    # An incoming webhook's path is its key.
    (re.compile(r"(https://hooks\.[^/\s\"']+/)[^\s\"']+", re.I), rf"\1{MASK}"),
    (
        re.compile(
            r"((?:password|passwd|secret(?:_?access)?_?key|secret_?string|token|authorization)[\"']?\s*[:=]\s*)"
            r"(\"[^\"]*\"|'[^']*'|[^\s,;}\"']+)",
            re.I,
        ),
        rf"\1{MASK}",
    ),
)
# Of a setting with such a name the value is never shown.
SECRET_NAME = re.compile(r"passw|secret|token|credential|api_?key|private_?key|webhook", re.I)


def redact(text: str) -> str:
    """Return the text with what looks like a secret masked, cut to a readable length."""
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def redact_all(value: Any) -> Any:
    """Return plain data with every text in it redacted, and values under secret names masked.

    What is no JSON value becomes text.
    """
    if isinstance(value, dict):
        return {
            redact(str(key)): MASK
            if one
            and isinstance(one, str)
            and SECRET_NAME.search(str(key))
            and not one.startswith("arn:")
            else redact_all(one)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_all(one) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))
