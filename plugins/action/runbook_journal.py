"""Action plugin: runbook_journal without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import runbook_journal
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/runbook_journal.py."""

    module = runbook_journal
