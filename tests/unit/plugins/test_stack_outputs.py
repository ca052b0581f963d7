"""Outputs come from the states; what is not provisioned is told, what is sensitive left out."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.drydock.ops.plugins.modules.stack_outputs import read_outputs

BUCKET = "states"


def put(s3: Any, stack: str, state: dict[str, Any]) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"dev/{stack}.tfstate", Body=json.dumps(state))


def test_outputs_are_read_and_sensitive_ones_left_out(aws: Any) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket=BUCKET)
    outputs = {"ids": {"value": ["a"]}, "key": {"value": "hunter2", "sensitive": True}}
    put(s3, "foundation", {"resources": [{}], "outputs": outputs})
    assert read_outputs(s3, BUCKET, "dev", "foundation") == {"ids": ["a"]}


def test_a_stack_without_state_or_resources_is_not_provisioned(aws: Any) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket=BUCKET)
    put(s3, "destroyed", {"resources": [], "outputs": {}})
    assert read_outputs(s3, BUCKET, "dev", "data") is None
    assert read_outputs(s3, BUCKET, "dev", "destroyed") is None
