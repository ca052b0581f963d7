"""Putting objects into buckets from within."""

from moto.backends import get_backend
from moto.s3.exceptions import MissingBucket

from drydock.errors import ApiError
from drydock.settings import ACCOUNT_ID


def put(bucket: str, key: str, content: bytes, kms_key: str | None) -> None:
    """Writes an object, encrypted with a key (its ARN) or as the bucket says.

    Raises:
        ApiError: there is no such bucket, or the key can't be used; with S3's own code.
    """
    if kms_key:
        _refuse_unusable(kms_key)
    try:
        get_backend("s3")[ACCOUNT_ID]["aws"].put_object(
            bucket, key, content, encryption="aws:kms" if kms_key else None, kms_key_id=kms_key
        )
    except MissingBucket:
        raise ApiError("NoSuchBucket", f"The specified bucket does not exist: {bucket}") from None


def _refuse_unusable(arn: str) -> None:
    key = get_backend("kms")[ACCOUNT_ID][arn.split(":")[3]].keys.get(arn.rpartition("/")[2])
    if key is None:
        raise ApiError("KMS.NotFoundException", f"Key '{arn}' does not exist")
    if key.key_state == "Disabled":
        raise ApiError("KMS.DisabledException", f"{arn} is disabled.")
    if key.key_state != "Enabled":
        raise ApiError("KMS.KMSInvalidStateException", f"{arn} is pending deletion.")
