"""Credentials of roles, as the services hand them out to what runs on them."""

import datetime
from typing import Any

from moto.backends import get_backend

from drydock.settings import ACCOUNT_ID

_SECONDS = 6 * 3600  # as EC2 and ECS hand them out
_given: dict[str, Any] = {}  # holder → moto's AssumedRole


def credentials(region: str, holder: str, role_arn: str) -> Any:
    """A role's credentials for one instance or task, renewed an hour before they end: moto's
    AssumedRole.

    Args:
        holder: ID of who has them, which is the session's name too.
    """
    kept = _given.get(holder)
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    if (
        kept is None
        or kept.role_arn != role_arn
        or kept.expiration < now + datetime.timedelta(hours=1)
    ):
        kept = _given[holder] = get_backend("sts")[ACCOUNT_ID]["aws"].assume_role(
            region, holder, role_arn, "", _SECONDS, ""
        )
    return kept


def forget(holder: str) -> None:
    """Drops what a holder that has ended was given."""
    _given.pop(holder, None)
