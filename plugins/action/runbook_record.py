"""Action plugin: show lines to the person at the terminal, and keep facts in the evidence."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact, redact_all

display = Display()


class ActionModule(ActionBase):
    """See the documentation in plugins/modules/runbook_record.py."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("show", "evidence"))

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "show": {"type": "list", "elements": "str", "default": []},
                "evidence": {"type": "dict", "default": {}},
            }
        )
        for line in arguments["show"]:
            display.display(f"  {redact(line)}")
        result.update(changed=False, runbook_evidence=redact_all(arguments["evidence"]))
        return result
