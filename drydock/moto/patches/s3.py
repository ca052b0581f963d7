"""Lifecycle rules come back as they were put; deleted versions can be deleted for good.

moto 5.2 drops NewerNoncurrentVersions, and fails on deleting a key whose last version is a
delete marker, which every release of the state's lock file leaves behind.
"""

from typing import Any

from moto.s3.models import FakeDeleteMarker

from drydock.moto.api import PASS, Context, Handler

_rules: dict[str, list[dict[str, Any]]] = {}  # bucket → rules, as parsed


def _put(_context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    _rules[parameters["Bucket"]] = parameters["LifecycleConfiguration"]["Rules"]
    return PASS


def _get(_context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    rules = _rules.get(parameters["Bucket"])
    return {"Rules": rules} if rules else PASS


def _forget(_context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    _rules.pop(parameters["Bucket"], None)
    return PASS


def apply() -> None:
    """Gives delete markers the method that keys have; there is no content to dispose of."""
    FakeDeleteMarker.dispose = lambda self, garbage=False: None


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("s3", "PutBucketLifecycleConfiguration"): _put,
        ("s3", "GetBucketLifecycleConfiguration"): _get,
        ("s3", "DeleteBucketLifecycle"): _forget,
        ("s3", "DeleteBucket"): _forget,
    }
