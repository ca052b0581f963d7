"""db-connections-exhausted: leaks of three kinds are told apart and mended, people's work is not.

The alarm is red from 48 of 60 connections on; the workload's own pools hold some ten.
"""

import json
import threading
import time

import pytest

from tests.platform.conftest import wait_for
from tests.site.site import play

from .drill import Platform, Rehearsal, no_secret, rehearse

RUNBOOK = "db-connections-exhausted"
ALARM = "database-connections"
PATH = f"runbooks/{RUNBOOK}"
# Of the decision of both runs, the rehearsal's too: it begins soon after the fault.
SOON = ("-e", "idle_in_transaction_seconds=5", "-e", "idle_seconds=5")


def _password(platform: Platform) -> str:
    """The master user's, which must turn up nowhere."""
    cloud = platform.cloud
    database = cloud.client("rds").describe_db_instances(DBInstanceIdentifier="drydock-local")
    arn = database["DBInstances"][0]["MasterUserSecret"]["SecretArn"]
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    return json.loads(secret)["password"]


def _ended(done: Rehearsal) -> list[str]:
    return [row["what"] for row in done.record["runbook"]["actions"] if "ended pid" in row["what"]]


def _definition(platform: Platform) -> str:
    return platform.service("trading_api")["taskDefinition"].rsplit("/", 1)[-1]


@pytest.mark.beside
def test_a_leak_by_another_role_is_ended_and_the_workload_left_alone(platform: Platform) -> None:
    before = _definition(platform)
    done = rehearse(
        platform,
        RUNBOOK,
        *SOON,
        alarm=ALARM,
        inject=lambda: platform.fault(
            "fill-connections",
            "database",
            "--share",
            "90%",
            "--state",
            "idle-in-transaction",
            "--as",
            "reporting",
        ),
        says=("sessions of role reporting from elsewhere are leaked: idle in transaction",),
        shows=("-pid ",),
        mending=20,
    )
    ended = _ended(done)
    assert ended and all("of reporting from elsewhere" in text for text in ended)
    assert _definition(platform) == before
    no_secret(platform, _password(platform), done.check, done.run, done.again)


def test_idle_sessions_of_the_workloads_own_role_are_ended(platform: Platform) -> None:
    """The same role as the workload's, but from elsewhere: its own pools are not touched."""
    done = rehearse(
        platform,
        RUNBOOK,
        *SOON,
        alarm=ALARM,
        inject=lambda: platform.fault(
            "fill-connections",
            "database",
            "--share",
            "90%",
            "--state",
            "idle",
            "--application",
            "batch",
        ),
        says=("from elsewhere are leaked: idle for long",),
        shows=("-pid ",),
        mending=20,
    )
    ended = _ended(done)
    assert ended and all("as batch" in text and "trading_api" not in text for text in ended)
    no_secret(platform, _password(platform), done.check, done.run, done.again)


@pytest.mark.beside
def test_no_more_are_ended_than_allowed(platform: Platform) -> None:
    """The cap holds, and what remains is said; the alarm stays red, so the run fails."""
    platform.fault("fill-connections", "database", "--share", "90%",
                   "--state", "idle-in-transaction", "--as", "reporting")  # fmt: skip
    wait_for(lambda: platform.alarm(ALARM) == "ALARM", 90, f"{ALARM} is red")
    run = play(PATH, *SOON, "-e", "max_ended=3", "-e", "runbook_recovery_timeout=20")
    assert run.code != 0 and "remain: max_ended is 3" in run.output, run.story
    record = platform.evidence(RUNBOOK)["runbook"]
    assert sum("ended pid" in row["what"] for row in record["actions"]) == 3


@pytest.mark.beside
def test_active_queries_are_left_to_people(platform: Platform) -> None:
    platform.fault("fill-connections", "database", "--share", "90%",
                   "--state", "active", "--as", "reporting")  # fmt: skip
    wait_for(lambda: platform.alarm(ALARM) == "ALARM", 90, f"{ALARM} is red")
    slow = time.monotonic() + 12
    wait_for(lambda: time.monotonic() > slow, 20, "the queries are long")
    run = play(PATH, "-e", "query_seconds=10", "-e", "runbook_recovery_timeout=20")
    assert run.code != 0, run.story
    assert "long queries hold the connections" in run.output
    assert "actions" not in platform.evidence(RUNBOOK)["runbook"]
    run = play(PATH, "-e", "query_seconds=10", "-e", "end_active=true")
    assert run.code == 0, run.story


@pytest.mark.beside
def test_two_at_once_are_one(platform: Platform) -> None:
    """The second is refused by the lock, with the holder's name, and changes nothing."""
    platform.fault("fill-connections", "database", "--share", "90%",
                   "--state", "idle-in-transaction", "--as", "reporting")  # fmt: skip
    wait_for(lambda: platform.alarm(ALARM) == "ALARM", 90, f"{ALARM} is red")
    runs = []
    threads = [threading.Thread(target=lambda: runs.append(play(PATH, *SOON))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    codes = sorted(run.code for run in runs)
    lost = [run for run in runs if run.code]
    assert codes[0] == 0, runs[0].story
    # Or it came so late that all was green by then.
    assert all("is held by" in run.output for run in lost), lost[0].story


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("-e", "max_ended=0"), "at least 1"),
        (("-e", "workload=trading_api"), "no input of this runbook"),
        (("-e", "idle_secs=5"), "did you mean idle_seconds"),
    ],
)
def test_wrong_inputs_are_refused(platform: Platform, given: tuple[str, ...], words: str) -> None:
    mark = platform.mark()
    run = play(PATH, *given)
    assert run.code != 0 and words in run.output, run.story
    assert platform.mutating_since(mark) == []
