"""RDS's metrics: which of them an instance has."""

from types import SimpleNamespace

import pytest

from drydock.controllers.database.meter import DatabaseMeter


def _published(source: str | None, recovering: bool) -> set[str]:
    """Names of what is published of an instance.

    Args:
        source: of which instance it is a read replica.
        recovering: what its server says of itself; a standby that is being promoted says so, too.
    """
    names: set[str] = set()
    cloud = SimpleNamespace(
        settings=SimpleNamespace(scaled=float),
        metrics=SimpleNamespace(put=lambda _region, _space, name, *_: names.add(name)),
    )
    meter = DatabaseMeter.__new__(DatabaseMeter)
    meter.cloud = cloud
    seen = SimpleNamespace(sessions=1, recovering=recovering, lag=2.0, pid=-1)
    primary = SimpleNamespace(watch=SimpleNamespace(seen=seen, fresh=True), node=None)
    database = SimpleNamespace(id="one", region="us-east-1", source=source)
    meter._server(SimpleNamespace(primary=primary, database=database))
    return names


@pytest.mark.parametrize(
    ("source", "recovering", "lags"),
    [("us-east-1/other", True, True), (None, True, False), (None, False, False)],
)
def test_only_a_read_replica_has_a_lag(source, recovering, lags):
    assert ("ReplicaLag" in _published(source, recovering)) is lags
