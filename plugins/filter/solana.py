"""Filters over the command line of a Solana node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.drydock.ops.plugins.module_utils.agave_flags import (
    FlagsRefused,
    arguments,
    lint,
    series_of,
)

DOCUMENTATION = r"""
name: solana
short_description: Filters over the command line of a Solana node
description: See C(agave_arguments), C(agave_lint) and C(agave_series).
"""


def agave_arguments(flags: Mapping[str, Any]) -> list[str]:
    """Return the command line of typed flags (name → true, value or list)."""
    try:
        return arguments(flags)
    except FlagsRefused as error:
        raise AnsibleFilterError(str(error)) from error


def agave_lint(
    line: Sequence[str], version: str, capabilities: Sequence[str] = (), level: str = "error"
) -> list[str]:
    """Return what is wrong with a command line for a version, one sentence each.

    level: ``error`` for what keeps the node from starting, ``warning`` for what will one day.
    """
    try:
        return [str(one) for one in lint(line, version, capabilities) if one.level == level]
    except FlagsRefused as error:
        return [str(error)] if level == "error" else []


def agave_series(version: str) -> str:
    """Return the release series of a version, or nothing for one that is not known."""
    try:
        return series_of(version)
    except FlagsRefused:
        return ""


class FilterModule:
    """Filters by name."""

    def filters(self) -> dict[str, Any]:
        return {
            "agave_arguments": agave_arguments,
            "agave_lint": agave_lint,
            "agave_series": agave_series,
        }
