"""Action plugin: workload_variables without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import workload_variables
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/workload_variables.py."""

    module = workload_variables
