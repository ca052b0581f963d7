"""Filters that bind an apply to the changes that somebody approved."""

from __future__ import annotations

from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.approval import approval, note, refusal

DOCUMENTATION = r"""
name: plan_approval
short_description: What approves plans, and whether it does
description: See C(plan_approval), C(plan_approval_note) and C(plan_refusal).
"""


class FilterModule:
    """Filters by name."""

    def filters(self) -> dict[str, Any]:
        return {
            "plan_approval": approval,
            "plan_approval_note": note,
            # {{ approved | plan_refusal(plans, environment) }}
            "plan_refusal": refusal,
        }
