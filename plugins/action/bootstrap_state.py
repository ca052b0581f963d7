"""Action plugin: bootstrap_state without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import bootstrap_state
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/bootstrap_state.py."""

    module = bootstrap_state
