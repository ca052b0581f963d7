"""Filter that decides what to do about the nodes of a Solana fleet."""

from __future__ import annotations

from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.solana_nodes import decide

DOCUMENTATION = r"""
name: solana_nodes
short_description: What ails the nodes of a Solana fleet, and what to do
description: See C(solana_decision).
"""


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"solana_decision": decide}
