"""What a container may do to the machine that it runs on, and to its own files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .model import Resource, View, rule

ROOT = ("", "0", "root")


def containers(resource: Resource, view: View) -> list[dict[str, Any]] | None:
    """Return the containers of a task definition; None where they can't be read."""
    found = view.value(resource, "container_definitions")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError:
            return None
    # What the configuration told is data already.
    readable = isinstance(found, list) and all(isinstance(one, dict) for one in found)
    return found if readable else None


@rule(
    "DRYDOCK_RUN_1",
    "A container has a read-only root and runs as another user than root.",
    "Set readonlyRootFilesystem = true and user in the container's definition, and mount a volume "
    "where it has to write.",
    ["aws_ecs_task_definition"],
    alone=False,
)
def container_is_bound(resource: Resource, view: View) -> Iterator[str]:
    found = containers(resource, view)
    if found is None:
        yield (
            "container_definitions can't be read before the apply: write them as jsonencode([…])"
        )
        return
    for one in found:
        name = one.get("name", "?")
        if one.get("readonlyRootFilesystem") is not True:
            yield f"container {name} can write to its root"
        user = str(one.get("user") or "").partition(":")[0]
        if user in ROOT:
            yield f"container {name} runs as {user or 'whom its image says'}"
        if one.get("privileged") is True:
            yield f"container {name} is privileged"
