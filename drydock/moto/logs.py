"""Log groups and streams as CloudWatch Logs holds them."""

from collections.abc import Sequence

from moto.backends import get_backend
from moto.logs.exceptions import ResourceAlreadyExistsException, ResourceNotFoundException

from drydock.errors import DrydockError
from drydock.settings import ACCOUNT_ID

_KEPT = 20_000  # events of a stream


def create_group(region: str, group: str) -> None:
    """Makes a log group, unless it is there."""
    backend = get_backend("logs")[ACCOUNT_ID][region]
    if group not in backend.groups:
        backend.create_log_group(group, {})


def create_stream(region: str, group: str, stream: str) -> None:
    """Makes a stream, unless it is there; DrydockError when its group is not."""
    try:
        get_backend("logs")[ACCOUNT_ID][region].create_log_stream(group, stream)
    except ResourceAlreadyExistsException:
        return
    except ResourceNotFoundException:
        raise DrydockError(
            f"The specified log group does not exist: {group}. Create it, or set "
            "awslogs-create-group."
        ) from None


def put(region: str, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
    """Adds (milliseconds since 1970, message) pairs; DrydockError when the stream is gone."""
    rows = [{"timestamp": at, "message": text} for at, text in sorted(events, key=lambda e: e[0])]
    try:
        backend = get_backend("logs")[ACCOUNT_ID][region]
        backend.put_log_events(group, stream, rows)
        # moto keeps everything in memory and knows no retention; a load test would fill it.
        del backend.groups[group].streams[stream].events[:-_KEPT]
    except ResourceNotFoundException:
        raise DrydockError(f"Log stream {stream} of {group} does not exist.") from None
