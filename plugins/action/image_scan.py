"""Action plugin: image_scan without a process of its own."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.modules import image_scan
from ansible_collections.drydock.ops.plugins.plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """See the documentation in plugins/modules/image_scan.py."""

    module = image_scan
