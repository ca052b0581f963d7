"""Action plugin: alarm_info without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import alarm_info
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/alarm_info.py."""

    module = alarm_info
