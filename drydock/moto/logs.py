"""Log groups and streams as CloudWatch Logs holds them."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from moto.backends import get_backend
from moto.logs.exceptions import ResourceAlreadyExistsException, ResourceNotFoundException

from drydock.errors import DrydockError
from drydock.settings import ACCOUNT_ID

_KEPT = 20_000  # events of a stream
# (region, group, [(milliseconds since 1970, message)]) of what metrics may be made of: lines in
# embedded metric format, and all lines of groups with metric filters. Whoever puts a line goes
# on at once; the CloudWatch controller reads them.
_heard: deque[tuple[str, str, list[tuple[int, str]]]] = deque(maxlen=10_000)


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


def metric_filters(region: str, group: str) -> list[dict[str, Any]]:
    """The metric filters of a group, in the API's shapes."""
    found = get_backend("logs")[ACCOUNT_ID][region].filters.metric_filters
    return [one for one in list(found) if one["logGroupName"] == group]


def heard(region: str, group: str, events: Sequence[dict[str, Any]]) -> None:
    """Keeps, of events that were put, those that metrics may be made of."""
    filtered = metric_filters(region, group)
    lines = [
        (event["timestamp"], event["message"])
        for event in events
        if filtered or '"CloudWatchMetrics"' in event["message"]
    ]
    if lines:
        _heard.append((region, group, lines))


def take_heard() -> list[tuple[str, str, list[tuple[int, str]]]]:
    """What was kept since the last call: region, group and (milliseconds, message) pairs."""
    taken = []
    while _heard:
        taken.append(_heard.popleft())
    return taken
