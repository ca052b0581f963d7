"""Action plugin: state_lock without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import state_lock
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/state_lock.py."""

    module = state_lock
