"""Action plugin: change what a service runs and show how it gets on until it is complete."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.action.ecs_deployment import ActionModule as Release
from ansible_collections.drydock.ops.plugins.modules import ecs_change


class ActionModule(Release):
    """Call the module of the same name until the service runs what was asked for."""

    module = ecs_change
