"""Action plugin: dead_letter_diagnosis without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import dead_letter_diagnosis
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/dead_letter_diagnosis.py."""

    module = dead_letter_diagnosis
