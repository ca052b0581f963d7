"""Action plugin: event_lag_diagnosis without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import event_lag_diagnosis
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/event_lag_diagnosis.py."""

    module = event_lag_diagnosis
