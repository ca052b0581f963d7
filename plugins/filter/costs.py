"""Filters that stand one stack's outputs in for values, for a plan of all stacks as one."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENTATION = r"""
name: costs
short_description: Outputs of stacks as references
description: See C(output_references).
"""

_OUTPUT = re.compile(r'^output "(\w+)"', re.M)


def output_references(stacks: list[str], folder: str) -> dict[str, dict[str, str]]:
    """Return stack → output → reference to it, as a root module of all stacks writes it."""
    return {
        stack: {
            name: f"${{module.{stack}.{name}}}"
            for name in _OUTPUT.findall((Path(folder) / stack / "outputs.tf").read_text())
        }
        for stack in stacks
    }


class FilterModule:
    """The filters, found by Ansible."""

    def filters(self) -> dict[str, object]:
        return {"output_references": output_references}
