"""Containers of which a plan knows a part: what the configuration tells is judged."""

from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.policies.model import (
    UNKNOWN,
    Resource,
    View,
)
from ansible_collections.drydock.ops.plugins.module_utils.policies.runtime import (
    container_is_bound,
)

BOUND = {
    "name": "web",
    "image": "⟦?⟧",
    "readonlyRootFilesystem": True,
    "user": "10001:10001",
    "portMappings": UNKNOWN,
}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([BOUND], []),
        ([{**BOUND, "readonlyRootFilesystem": UNKNOWN}], ["container web can write to its root"]),
        ([BOUND, {**BOUND, "name": "beside", "user": "0"}], ["container beside runs as 0"]),
        ([BOUND, UNKNOWN], ["container_definitions can't be read before the apply"]),
        (UNKNOWN, ["container_definitions can't be read before the apply"]),
    ],
)
def test_what_is_told_is_judged(told: Any, words: list[str]) -> None:
    task = Resource(
        "aws_ecs_task_definition.web",
        "aws_ecs_task_definition",
        {"container_definitions": UNKNOWN},
    )
    found = list(container_is_bound(task, View(fill=lambda *_: told)))
    assert len(found) == len(words)
    for sentence, word in zip(found, words, strict=True):
        assert word in sentence
