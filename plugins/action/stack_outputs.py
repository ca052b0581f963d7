"""Action plugin: stack_outputs without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import stack_outputs
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/stack_outputs.py."""

    module = stack_outputs
