"""Action plugin: sleep_saving without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import sleep_saving
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/sleep_saving.py."""

    module = sleep_saving
