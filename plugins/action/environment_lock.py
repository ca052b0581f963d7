"""Action plugin: environment_lock without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import environment_lock
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/environment_lock.py."""

    module = environment_lock
