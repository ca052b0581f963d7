"""What a container's ``secrets`` name: values in Secrets Manager and Parameter Store."""

import json

from moto.backends import get_backend
from moto.secretsmanager.exceptions import SecretsManagerClientError
from moto.ssm.exceptions import ParameterVersionNotFound

from drydock.errors import DrydockError
from drydock.settings import ACCOUNT_ID

# arn:aws:secretsmanager:region:account:secret:name, then json-key, version-stage, version-id
# (ECS developer guide, "Pass Secrets Manager secrets").
_ARN_FIELDS = 7


def resolve(value_from: str, region: str) -> str:
    """The value that a ``valueFrom`` names.

    Args:
        value_from: a Secrets Manager ARN, optionally with ``:json-key:stage:version``, or the
            name or ARN of a parameter.
        region: where a parameter that is given by name is looked for.

    Raises:
        DrydockError: names the ARN and the reason in AWS's words, never a value.
    """
    if value_from.startswith("arn:") and value_from.split(":")[2] == "secretsmanager":
        return _secret(value_from)
    return _parameter(value_from, region)


def _secret(value_from: str) -> str:
    fields = value_from.split(":")
    arn = ":".join(fields[:_ARN_FIELDS])
    key, stage, version = (*fields[_ARN_FIELDS:], "", "", "")[:3]
    intro = (
        "unable to retrieve secret from asm: service call has been retried 1 time(s): "
        f"failed to fetch secret {arn} from secrets manager: "
    )
    backend = get_backend("secretsmanager")[ACCOUNT_ID][fields[3]]
    try:
        found = backend.get_secret_value(arn, version or None, stage or None)
    except SecretsManagerClientError as error:
        raise DrydockError(f"{intro}{error.error_type}: {error.message}") from None
    value = found.get("SecretString")
    if value is None:
        raise DrydockError(f"{intro}the secret is binary; a container needs a string.")
    if not key:
        return value
    try:
        member = json.loads(value)[key]
    except (ValueError, KeyError, TypeError):
        # The parser's own words could quote the value.
        raise DrydockError(
            "unable to retrieve secret from asm: service call has been retried 1 time(s): "
            f"retrieved secret from Secrets Manager did not contain json key {key} ({arn})"
        ) from None
    return member if isinstance(member, str) else json.dumps(member)


def _parameter(value_from: str, region: str) -> str:
    if value_from.startswith("arn:"):
        region = value_from.split(":")[3]
    try:
        found = get_backend("ssm")[ACCOUNT_ID][region].get_parameter(value_from)
    except ParameterVersionNotFound:
        found = None
    value = found.decrypt(found.value) if found else None
    if value is None:
        raise DrydockError(
            "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
            f"invalid parameters: {value_from}"
        )
    return value
