"""A node's identity from Secrets Manager: whole, private, and never in a message."""

import json
import os
import pwd

import pytest
from ansible_collections.drydock.ops.plugins.modules.node_identity import (
    IdentityRefused,
    checked,
    write,
)

KEY = json.dumps(list(range(64)))


def test_a_key_pair_is_taken():
    assert json.loads(checked(KEY, "id")) == list(range(64))


@pytest.mark.parametrize(
    "value",
    ["", "hunter2hunter2", "{}", "[1, 2]", json.dumps([300] * 64), json.dumps([True] * 64)],
)
def test_anything_else_is_refused_without_being_shown(value):
    with pytest.raises(IdentityRefused, match="the secret id is no Solana key pair") as refused:
        checked(value, "id")
    assert "hunter2" not in str(refused.value)
    assert "300" not in str(refused.value)


def test_the_file_is_its_owners_alone_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "identity.json"
    write(path, KEY, pwd.getpwuid(os.getuid()).pw_name)
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.read_text() == KEY
    assert list(tmp_path.iterdir()) == [path]


def test_a_user_that_is_not_there_leaves_no_file(tmp_path):
    with pytest.raises(KeyError):
        write(tmp_path / "identity.json", KEY, "nobody-of-that-name")
    assert list(tmp_path.iterdir()) == []
