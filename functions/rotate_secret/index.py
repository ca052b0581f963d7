"""Rotates secrets: a new password at random, and both old and new are good until the next time.

Called by Secrets Manager four times for each rotation (its user guide, "Lambda rotation
functions"). A secret is JSON with a ``password``, which the first rotation adds. With
``cache_user``, the id of an ElastiCache user, that user is given the password too, and ``url`` is
made from username, host and port, so that a workload takes its whole address from the secret. Any
other secret is just replaced; who reads it decides for how long AWSPREVIOUS is still taken.
"""

import json
import time

import boto3

_LENGTH = 40
_WAIT_SECONDS, _PAUSE = 120, 2
secrets, cache = boto3.client("secretsmanager"), boto3.client("elasticache")


def handler(event: dict, _context: object) -> None:
    """Lambda's entry.

    Args:
        event: SecretId, ClientRequestToken (the new version's id) and Step.

    Raises:
        ValueError: Secrets Manager asks for a step or a version that can't be; nothing is changed.
        TimeoutError: the cache did not take the password in two minutes; a later try goes on.
    """
    secret, version = event["SecretId"], event["ClientRequestToken"]
    stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"].get(version)
    if stages is None:
        raise ValueError(f"{secret} has no version {version}: rotate it anew")
    if "AWSCURRENT" in stages:
        return  # done before; Secrets Manager asks again when an answer was lost
    step = _STEPS.get(event["Step"])
    if step is None:
        raise ValueError(f"{event['Step']} is no step of a rotation")
    step(secret, version)


def _value(secret: str, **of: str) -> dict:
    return json.loads(secrets.get_secret_value(SecretId=secret, **of)["SecretString"])


def _create(secret: str, version: str) -> None:
    try:
        _value(secret, VersionId=version, VersionStage="AWSPENDING")
        return  # made by an earlier try, which may have given it to the cache already
    except secrets.exceptions.ResourceNotFoundException:
        value = _value(secret, VersionStage="AWSCURRENT")
    made = secrets.get_random_password(PasswordLength=_LENGTH, ExcludePunctuation=True)
    value["password"] = made["RandomPassword"]
    if "cache_user" in value:
        value["url"] = "rediss://{username}:{password}@{host}:{port}/0".format_map(value)
    secrets.put_secret_value(
        SecretId=secret,
        ClientRequestToken=version,
        SecretString=json.dumps(value),
        VersionStages=["AWSPENDING"],
    )


def _set(secret: str, version: str) -> None:
    new = _value(secret, VersionId=version, VersionStage="AWSPENDING")
    if user := new.get("cache_user"):
        old = _value(secret, VersionStage="AWSCURRENT")
        passwords = [value["password"] for value in (new, old) if "password" in value]
        mode = {"Type": "password", "Passwords": passwords}
        cache.modify_user(UserId=user, AuthenticationMode=mode)


def _test(secret: str, version: str) -> None:
    user = _value(secret, VersionId=version, VersionStage="AWSPENDING").get("cache_user")
    until = time.monotonic() + _WAIT_SECONDS
    while user and cache.describe_users(UserId=user)["Users"][0]["Status"] != "active":
        if time.monotonic() > until:
            raise TimeoutError(f"{user} is still not active: see the events of the cache")
        time.sleep(_PAUSE)


def _finish(secret: str, version: str) -> None:
    stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next(key for key, names in stages.items() if "AWSCURRENT" in names)
    secrets.update_secret_version_stage(
        SecretId=secret,
        VersionStage="AWSCURRENT",
        MoveToVersionId=version,
        RemoveFromVersionId=current,
    )


_STEPS = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}
