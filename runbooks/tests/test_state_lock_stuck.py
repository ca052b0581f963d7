"""The states that were looked at can be worked with again."""

import hashlib
import json


def keys(facts):
    return {stack: f"{facts['environment']}/{stack}.tfstate" for stack in facts["stacks"]}


def found(aws, facts, key):
    """The object's content; None when there is none."""
    s3 = aws("s3")
    try:
        return s3.get_object(Bucket=facts["state_bucket"], Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def item(aws, facts, name):
    answer = aws("dynamodb").get_item(
        TableName=facts["lock_table"],
        Key={"LockID": {"S": f"{facts['state_bucket']}/{name}"}},
        ConsistentRead=True,
    )
    return answer.get("Item", {})


def test_no_state_is_locked_in_the_table(aws, facts):
    assert [stack for stack, key in keys(facts).items() if "Info" in item(aws, facts, key)] == []


def test_no_state_is_locked_in_the_bucket(aws, facts):
    locked = [stack for stack, key in keys(facts).items() if found(aws, facts, f"{key}.tflock")]
    assert locked == []


def test_every_state_is_whole_and_the_one_that_is_noted(aws, facts):
    """Every state is whole, and the table notes its MD5 and no other's."""
    for stack, key in keys(facts).items():
        body = found(aws, facts, key)
        if body is None:
            continue  # not provisioned
        assert {"lineage", "serial", "resources"} <= set(json.loads(body)), stack
        noted = item(aws, facts, f"{key}-md5").get("Digest", {}).get("S")
        assert noted in (None, hashlib.md5(body).hexdigest()), stack  # noqa: S324
