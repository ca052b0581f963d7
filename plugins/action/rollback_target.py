"""Action plugin: rollback_target without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import rollback_target
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/rollback_target.py."""

    module = rollback_target
