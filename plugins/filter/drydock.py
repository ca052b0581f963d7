"""Filters over the inventory's stacks and over what Terraform says."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.drydock.ops.plugins.module_utils.plan_report import markdown
from ansible_collections.drydock.ops.plugins.module_utils.terraform import explain

DOCUMENTATION = r"""
name: drydock
short_description: Filters of the drydock.ops collection
description: See C(stack_waves), C(terraform_error) and C(plan_markdown).
"""


def stack_waves(needs: dict[str, list[str]]) -> list[list[str]]:
    """Order stacks into waves: each comes after all that it needs, those of a wave side by side.

    needs: the stacks in play with what each needs. Needs that are not in play are taken as met;
    whether they are provisioned shows when their outputs are read.
    """
    left = {stack: {need for need in wanted if need in needs} for stack, wanted in needs.items()}
    waves: list[list[str]] = []
    while left:
        wave = sorted(stack for stack, wanted in left.items() if not wanted & left.keys())
        if not wave:
            circle = ", ".join(
                f"{stack} needs {' and '.join(sorted(left[stack]))}" for stack in sorted(left)
            )
            raise AnsibleFilterError(
                f"The stacks need each other in a circle ({circle}): take one need out of "
                "stack_needs."
            )
        waves.append(wave)
        left = {stack: wanted for stack, wanted in left.items() if stack not in wave}
    return waves


def terraform_error(result: dict[str, Any], stack: str, environment: str) -> str:
    """Return the failure of `terraform apply`, as the command module tells it, as a sentence."""
    code = int(result.get("rc") or 0)
    if code < 0:
        return (
            f"Stack {stack} of {environment}: terraform was ended by signal {-code} before it was "
            "done (by hand, or for want of memory). Its state lock was released; start the "
            "playbook again, it goes on from what the state holds."
        )
    text = result.get("stderr") or result.get("msg") or "terraform failed and said nothing"
    return explain(str(text), stack, environment)


class FilterModule:
    """Filters by name."""

    def filters(self) -> dict[str, Any]:
        return {
            "stack_waves": stack_waves,
            "terraform_error": terraform_error,
            "plan_markdown": markdown,
        }
