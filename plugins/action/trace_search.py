"""Action plugin: trace_search without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import trace_search
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/trace_search.py."""

    module = trace_search
