"""Clients for AWS and sentences for what goes wrong between here and there."""

from __future__ import annotations

from typing import Any

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    HAS_BOTO3 = True
except ImportError:  # pragma: no cover - said by require_boto3
    HAS_BOTO3 = False

CREDENTIALS_CURE = (
    "sign in (for example `aws sso login --profile NAME` and `export AWS_PROFILE=NAME`) "
    "or export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


def require_boto3(module: Any) -> None:
    """End the module with a sentence where boto3 is not installed."""
    if not HAS_BOTO3:
        module.fail_json(
            msg="boto3 is not installed for the Python that runs Ansible: "
            "install the project's requirements.txt into it (`make setup`)."
        )


def client(service: str, region: str, *, attempts: int = 3, timeout: int = 10) -> Any:
    """Return a boto3 client from the usual AWS variables and files.

    attempts: calls made in all before an error is passed on; timeout: seconds to connect.
    Raises botocore's ProfileNotFound where AWS_PROFILE names an unknown profile.
    """
    # A session of its own: boto3's default session is shared and not safe across threads.
    return boto3.session.Session().client(
        service,
        region_name=region,
        config=Config(
            connect_timeout=timeout,
            read_timeout=60,
            retries={"total_max_attempts": attempts, "mode": "standard"},
        ),
    )


def error_code(error: Exception) -> str:
    """Return AWS's code of an error, such as `NoSuchBucket`; empty for others."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def explain(error: Exception, doing: str) -> str:
    """Return one sentence: what was being done, what was wrong, what to do."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"{doing}: there are no AWS credentials; {CREDENTIALS_CURE}."
    if isinstance(error, ProfileNotFound):
        return f"{doing}: {error}; set AWS_PROFILE to one that `aws configure list-profiles` shows."
    if isinstance(error, ConnectionError | HTTPClientError):
        return (
            f"{doing}: AWS does not answer ({error}); check the network and AWS_ENDPOINT_URL "
            "(with the embedded cloud: `python -m drydock status`)."
        )
    if isinstance(error, ClientError):
        detail = error.response.get("Error", {})
        return (
            f"{doing}: AWS refused {error.operation_name} with {detail.get('Code', '?')}: "
            f"{detail.get('Message', '').rstrip('.')}."
        )
    if isinstance(error, BotoCoreError):
        return f"{doing}: {error}; {CREDENTIALS_CURE}."
    return f"{doing}: {error}"
