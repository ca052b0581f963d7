"""The function that rotates secrets, against the API's own stand-in (moto)."""

import importlib.util
import json
import uuid
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend

from drydock.moto.patches import secretsmanager as patch

SOURCE = Path(__file__).parents[3] / "functions/rotate_secret/index.py"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
CACHE = {
    "cache_user": "app",
    "username": "app",
    "host": "cache.example",
    "port": "6379",
    "password": "first-password-of-all",
}


@pytest.fixture(scope="module", autouse=True)
def patched():
    from moto.secretsmanager.models import SecretsManagerBackend as Backend

    kept = Backend.rotate_secret, Backend.update_secret_version_stage
    patch.apply()
    yield
    Backend.rotate_secret, Backend.update_secret_version_stage = kept


class Cache:
    """ElastiCache's two calls, of which moto lacks one."""

    def __init__(self):
        self.modes, self.states = [], ["modifying", "active"]

    def modify_user(self, **given):
        self.modes.append(given)

    def describe_users(self, **_):
        return {"Users": [{"Status": self.states.pop(0)}]}


@pytest.fixture
def rotation(monkeypatch):
    """(the function's module, its cache, a secret store) with nothing of the shell's AWS."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        spec = importlib.util.spec_from_file_location("rotate_secret", SOURCE)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.cache, module._PAUSE = Cache(), 0
        yield module, module.cache, boto3.client("secretsmanager")


def _pending(store, value):
    """A secret with that value, and the id of a version that is to replace it."""
    store.create_secret(Name="s", SecretString=json.dumps(value))
    # Secrets Manager makes the version when a rotation begins, without a value.
    version = str(uuid.uuid4())
    secret = get_backend("secretsmanager")["123456789012"]["us-east-1"].secrets["s"]
    secret.versions[version] = {
        "createdate": 0,
        "version_id": version,
        "version_stages": ["AWSPENDING"],
    }
    assert store.describe_secret(SecretId="s")["VersionIdsToStages"][version] == ["AWSPENDING"]
    return version


def _run(module, version, steps=STEPS):
    for step in steps:
        module.handler({"SecretId": "s", "ClientRequestToken": version, "Step": step}, None)


def _current(store):
    return json.loads(store.get_secret_value(SecretId="s")["SecretString"])


def test_a_new_password_takes_the_place_of_the_old(rotation):
    module, _, store = rotation
    version = _pending(store, {"password": "old", "note": "kept"})
    _run(module, version)
    value = _current(store)
    assert value["password"] != "old" and len(value["password"]) == 40
    assert value["note"] == "kept"


def test_a_cache_user_takes_both_passwords_and_the_address_holds_the_new(rotation):
    module, cache, store = rotation
    version = _pending(store, CACHE)
    _run(module, version)
    value = _current(store)
    [given] = cache.modes
    assert given["UserId"] == "app"
    passwords = given["AuthenticationMode"]["Passwords"]
    assert passwords == [value["password"], "first-password-of-all"]
    assert value["url"] == f"rediss://app:{value['password']}@cache.example:6379/0"
    assert cache.states == [], "it must wait until the user is active"


def test_the_first_rotation_makes_the_password(rotation):
    module, cache, store = rotation
    version = _pending(store, {key: value for key, value in CACHE.items() if key != "password"})
    _run(module, version)
    assert cache.modes[0]["AuthenticationMode"]["Passwords"] == [_current(store)["password"]]


def test_a_step_that_is_asked_for_twice_changes_nothing_more(rotation):
    module, _, store = rotation
    version = _pending(store, {"password": "old"})
    _run(module, version, ("createSecret",))
    made = store.get_secret_value(SecretId="s", VersionId=version)["SecretString"]
    _run(module, version)
    assert store.get_secret_value(SecretId="s")["SecretString"] == made
    _run(module, version)  # after the end
    assert store.get_secret_value(SecretId="s")["SecretString"] == made


def test_what_can_not_be_is_refused(rotation):
    module, _, store = rotation
    version = _pending(store, {"password": "old"})
    with pytest.raises(ValueError, match="no version"):
        _run(module, str(uuid.uuid4()))
    with pytest.raises(ValueError, match="no step"):
        _run(module, version, ("eraseSecret",))
    assert _current(store)["password"] == "old"
