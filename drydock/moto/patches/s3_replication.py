"""S3 replication: the whole configuration is kept, and what is written is copied at once.

moto 5.2 answers a fixed configuration and copies nothing.
"""

from typing import Any

from moto.backends import get_backend
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend

from drydock.errors import ApiError
from drydock.moto.api import Context, Handler


def apply() -> None:
    """Copies new versions and delete markers; every way to write an object ends in these two."""
    put, mark = S3Backend.put_object, S3Backend._set_delete_marker

    def put_object(
        self: S3Backend, bucket_name: str, key_name: str, value: bytes, *rest: Any, **named: Any
    ) -> FakeKey:
        key = put(self, bucket_name, key_name, value, *rest, **named)
        for rule in _rules(self.get_bucket(bucket_name), key_name):
            destination = rule["Destination"]
            replica = put(
                self,
                _name(destination),
                key_name,
                value,
                storage=destination.get("StorageClass") or key.storage_class,
                encryption=key.encryption,
                kms_key_id=destination.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID"),
            )
            replica._version_id = key.version_id  # AWS's replicas have it, too
        return key

    def set_delete_marker(self: S3Backend, bucket_name: str, key_name: str) -> FakeDeleteMarker:
        marker = mark(self, bucket_name, key_name)
        for rule in _rules(self.get_bucket(bucket_name), key_name):
            if rule.get("DeleteMarkerReplication", {}).get("Status") == "Enabled":
                mark(self, _name(rule["Destination"]), key_name)._version_id = marker.version_id
        return marker

    S3Backend.put_object, S3Backend._set_delete_marker = put_object, set_delete_marker


def operations() -> dict[tuple[str, str], Handler]:
    return {
        ("s3", "PutBucketReplication"): _put,
        ("s3", "GetBucketReplication"): _get,
        ("s3", "DeleteBucketReplication"): _delete,
    }


def _name(destination: dict[str, Any]) -> str:
    return destination["Bucket"].rpartition(":")[2]


def _rules(bucket: FakeBucket, key: str) -> list[dict[str, Any]]:
    """Those rules that are enabled and whose prefix the key has."""
    rules = (getattr(bucket, "replication", None) or {}).get("Rules", [])
    return [
        rule
        for rule in rules
        if rule["Status"] == "Enabled"
        and key.startswith((rule.get("Filter") or {}).get("Prefix") or "")
    ]


def _bucket(context: Context, name: str) -> FakeBucket:
    bucket = get_backend("s3")[context.account_id]["aws"].buckets.get(name)
    if bucket is None:
        raise ApiError("NoSuchBucket", f"The bucket {name} does not exist.", 404)
    return bucket


def _put(context: Context, given: dict[str, Any]) -> None:
    bucket, wanted = _bucket(context, given["Bucket"]), given["ReplicationConfiguration"]
    for name in (given["Bucket"], *(_name(rule["Destination"]) for rule in wanted["Rules"])):
        if not _bucket(context, name).is_versioned:
            raise ApiError("InvalidRequest", f"Versioning must be enabled on {name} to replicate.")
    bucket.replication = wanted


def _get(context: Context, given: dict[str, Any]) -> dict[str, Any]:
    found = getattr(_bucket(context, given["Bucket"]), "replication", None)
    if not found:
        raise ApiError(
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
            404,
        )
    return {"ReplicationConfiguration": found}


def _delete(context: Context, given: dict[str, Any]) -> None:
    _bucket(context, given["Bucket"]).replication = None
