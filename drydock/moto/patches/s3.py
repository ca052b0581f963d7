"""Lifecycle rules are returned as they were put (moto 5.2 drops NewerNoncurrentVersions)."""

from typing import Any

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


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("s3", "PutBucketLifecycleConfiguration"): _put,
        ("s3", "GetBucketLifecycleConfiguration"): _get,
        ("s3", "DeleteBucketLifecycle"): _forget,
        ("s3", "DeleteBucket"): _forget,
    }
