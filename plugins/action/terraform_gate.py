"""Action plugin: terraform_gate without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import terraform_gate
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/terraform_gate.py."""

    module = terraform_gate
