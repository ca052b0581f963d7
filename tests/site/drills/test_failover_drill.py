"""failover-drill: a real failover under load, measured, and every acknowledged write is there."""

import uuid

import requests

from drydock.podman import Podman
from tests.site.site import play

from .drill import Platform, left_alone

RUNBOOK = "failover-drill"
PATH = f"runbooks/{RUNBOOK}"
API = "/api/trading"


def _measured(platform: Platform) -> dict:
    """What the newest drill measured."""
    states = platform.evidence(RUNBOOK)["runbook"]["states"]
    return next(state for state in reversed(states) if "outage_seconds" in state)


def _order(platform: Platform, key: str) -> str:
    """Places an order; returns its address."""
    body = {"symbol": "SOL-USD", "side": "buy", "quantity": "1", "price": "150.25"}
    placed = requests.post(
        f"{platform.url}{API}/orders", json=body, headers={"Idempotency-Key": key}, timeout=10
    )
    assert placed.status_code in (200, 201), placed.text
    return f"{platform.url}{API}/orders/{placed.json()['id']}"


def _drill(platform: Platform, target: str) -> dict:
    mark = platform.mark()
    check = play(PATH, "-e", f"target={target}", "--check")
    assert check.code == 0, check.story
    assert "is planned" in check.output
    assert platform.mutating_since(mark) == [], check.story
    order = _order(platform, f"before-failover-{uuid.uuid4()}")
    run = play(PATH, "-e", f"target={target}")
    assert run.code == 0, run.story
    measured = _measured(platform)
    shown = {key: value for key, value in measured.items() if key != "curve"}
    print(f"{RUNBOOK} {target}: {shown}", flush=True)
    assert measured["lost"] == [] and measured["safe"] > 100
    assert measured["from"] != measured["to"]
    assert 0 < measured["outage_seconds"] < 120
    assert measured["before"]["writes"] and measured["after"]["writes"]
    assert requests.get(order, timeout=10).status_code == 200
    assert _order(platform, f"after-failover-{uuid.uuid4()}")
    return measured


def test_the_database_fails_over_and_nothing_is_lost(platform: Platform) -> None:
    _drill(platform, "database")


def test_the_cache_fails_over_and_nothing_is_lost(platform: Platform) -> None:
    _drill(platform, "cache")


def test_without_automatic_failover_it_is_refused(platform: Platform) -> None:
    """The failover would be an outage, so nothing is started. A standby that hangs would do as
    well, but not for long: it is replaced within seconds."""
    client = platform.cloud.client("elasticache")
    (group,) = client.describe_replication_groups()["ReplicationGroups"]

    def set_automatic(enabled: bool) -> None:
        client.modify_replication_group(
            ReplicationGroupId=group["ReplicationGroupId"],
            AutomaticFailoverEnabled=enabled,
            ApplyImmediately=True,
        )

    set_automatic(False)
    try:
        mark = platform.mark()
        run = play(PATH, "-e", "target=cache")
        assert run.code != 0 and "Not ready for a failover" in run.output, run.story
        left_alone(platform, mark)
    finally:
        set_automatic(True)


def test_nothing_of_the_drill_is_left(platform: Platform) -> None:
    """Neither table nor keys, as the primaries themselves say."""
    podman = Podman(platform.cloud.settings)
    query = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'drydock\\_failover%'"
    counts = []
    for part in podman.parts("database"):
        done = podman.execute(
            part.name,
            ["psql", "--host=/part", "--username=rdsadmin", "--dbname=trading", "-XAtc", query],
            user="postgres",
        )
        if done.code == 0:
            counts.append(done.stdout.strip())
    assert counts and set(counts) == {"0"}
