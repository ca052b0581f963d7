"""Action plugin: return to the release before and show how it gets on until it is complete."""

from __future__ import annotations

from ansible_collections.drydock.ops.plugins.action.ecs_deployment import ActionModule as Release
from ansible_collections.drydock.ops.plugins.modules import ecs_return


class ActionModule(Release):
    """Call the module of the same name until the service runs the release before."""

    module = ecs_return
