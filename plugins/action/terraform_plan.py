"""Action plugin: terraform_plan without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import terraform_plan
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/terraform_plan.py."""

    module = terraform_plan
