"""Policies that AWS manages can be attached; moto 5.2 loads all 1,500 of them or none."""

import functools
import json
from collections.abc import Callable
from typing import Any

from moto.iam.models import AWSManagedPolicy, IAMBackend


@functools.cache
def _documents() -> dict[str, Any]:
    # Imported when first needed: its 5 MB take a second, and most runs attach none.
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return json.loads(aws_managed_policies_data)


def _know(backend: IAMBackend, arn: str) -> None:
    """Puts AWS's policy of that ARN among the account's; one that AWS has not stays unknown."""
    prefix, _, name = arn.rpartition("/")
    if ":iam::aws:policy" not in prefix or arn in backend.managed_policies:
        return
    if data := _documents().get(name):
        policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
        backend.managed_policies[policy.arn] = policy


def _knowing(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(self: IAMBackend, policy_arn: str, *arguments: Any, **named: Any) -> Any:
        _know(self, policy_arn)
        return original(self, policy_arn, *arguments, **named)

    return call


def apply() -> None:
    """Mends the calls that name a policy by its ARN and can be the first to do so."""
    for name in ("attach_role_policy", "attach_group_policy", "attach_user_policy", "get_policy"):
        setattr(IAMBackend, name, _knowing(getattr(IAMBackend, name)))
