"""Sleep and wake of the whole platform: killed at each step, and the same platform wakes."""

import os
import re
import signal
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from drydock import audit
from tests.platform.conftest import wait_for

from .site import Run, Site, evidence, finish, play, start

GO = ("-e", "confirm=local")
# The first call of each step, on the way down and up.
DOWN = (
    "ecs:TagResource", "ecs:UpdateService", "autoscaling:UpdateAutoScalingGroup",
    "rds:CreateDBSnapshot", "rds:StopDBInstance", "ec2:DeleteNatGateway",
)  # fmt: skip
UP = (
    "ec2:CreateNatGateway", "rds:StartDBInstance", "autoscaling:UpdateAutoScalingGroup",
    "ecs:UpdateService", "ecs:UntagResource",
)  # fmt: skip


def words(run: Run) -> str:
    return " ".join(run.output.split())


def tags(pairs: list[dict]) -> dict[str, str]:
    return {one.get("key", one.get("Key")): one.get("value", one.get("Value")) for one in pairs}


def platform(site: Site) -> dict:
    """All that sleep may change, as AWS describes it."""
    ecs, ec2 = site.cloud.client("ecs"), site.cloud.client("ec2")
    arns = ecs.list_services(cluster=site.cluster)["serviceArns"]
    names = [arn.rsplit("/", 1)[-1] for arn in arns]
    services = ecs.describe_services(cluster=site.cluster, services=names, include=["TAGS"])
    scaling = site.cloud.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    groups = site.cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    gateways = ec2.describe_nat_gateways()["NatGateways"]
    tables = ec2.describe_route_tables()["RouteTables"]
    database = site.database()
    return {
        "services": {
            one["serviceName"]: (
                one["desiredCount"], one["runningCount"], one["taskDefinition"], tags(one["tags"])
            )
            for one in services["services"]
        },
        "limits": {
            one["ResourceId"]: (
                one["MinCapacity"], one["MaxCapacity"],
                sorted(key for key, on in one.get("SuspendedState", {}).items() if on),
            )
            for one in targets
        },
        "fleets": {
            one["AutoScalingGroupName"]: (
                one["MinSize"], one["MaxSize"], one["DesiredCapacity"], tags(one["Tags"])
            )
            for one in groups
        },
        "database": (database["DBInstanceStatus"], tags(database["TagList"])),
        "gateways": sum(one["State"] == "available" for one in gateways),
        "addresses": sorted(
            one["PublicIp"] for one in ec2.describe_addresses()["Addresses"]
            if "-nat-" in tags(one.get("Tags", [])).get("Name", "")
        ),
        "ways out": sum("NatGatewayId" in route for one in tables for route in one["Routes"]),
    }  # fmt: skip


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def kill_at(site: Site, call: str, playbook: str, *arguments: str) -> None:
    """Starts a playbook, and ends it and all of its processes by SIGKILL at the first such call."""
    log, mark = site.cloud.settings.audit, site.mark()
    run = start(playbook, *arguments)

    def called() -> bool:
        assert run.poll() is None, f"{playbook} ended before {call}: {finish(run).story}"
        return any(
            f"{row['service']}:{row['action']}" == call
            and row["caller"]["access_key"] == site.operator
            for row in audit.read(log, mark)
        )

    try:
        wait_for(called, 180, f"{call} of {playbook}", every=0.02)
    finally:
        # Also if the look failed: a play that runs on would fail the tests after it too.
        for pid in family(run.pid) if run.poll() is None else []:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    assert finish(run).code == -signal.SIGKILL


def asleep(site: Site) -> None:
    found = platform(site)
    assert {one[:2] for one in found["services"].values()} == {(0, 0)}
    assert all(one[3]["auto-stopped"] for one in found["services"].values())
    assert all(len(one[2]) == 3 for one in found["limits"].values())
    assert all(one[:3] == (0, 0, 0) for one in found["fleets"].values())
    assert found["database"][0] == "stopped" and found["database"][1]["auto-stopped"]
    assert (found["gateways"], found["ways out"]) == (0, 0)
    assert site.cloud.status()["tasks"] == [] or {
        one["status"] for one in site.cloud.status()["tasks"]
    } == {"STOPPED"}


def refused(site: Site, says: str, *arguments: str) -> None:
    mark = site.mark()
    done = play("teardown", *arguments)
    assert done.code != 0 and says in words(done), done.story
    assert site.changes_since(mark) == []


@pytest.fixture(autouse=True, scope="module")
def awake_again(site: Site):
    """However the tests end, those after them find the platform awake."""
    yield
    assert play("wake").code == 0


@pytest.fixture
def prod_by_tag(site: Site):
    """The cluster says that it is prod's."""
    ecs = site.cloud.client("ecs")
    arn = ecs.describe_clusters(clusters=[site.cluster])["clusters"][0]["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "Environment", "value": "prod"}])
    yield
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "Environment", "value": "local"}])


def test_what_must_not_sleep_is_refused(site: Site, prod_by_tag) -> None:
    refused(site, "The name given is not local")
    refused(site, "has the tag Environment=prod", *GO)
    late = (datetime.now(UTC) - timedelta(hours=3)).strftime("%H:%M")
    refused(site, "is too late for it", "-e", f'{{"intended": "{late} UTC"}}')
    # Whatever -e says of what may sleep, the inventory's files count.
    refused(site, "has the tag Environment=prod", *GO, "-e", "sleep_allowed=true")


def test_a_rehearsal_shows_the_night_and_changes_nothing(site: Site) -> None:
    mark = site.mark()
    done = play("teardown", "--check")
    assert done.code == 0, done.story
    said = words(done)
    for name in (
        "hello: 0 tasks instead of 2",
        "drydock-local: stopped",
        "aws_nat_gateway.this[0]",
    ):
        assert name in said
    assert "saved an hour" in said
    assert site.changes_since(mark) == []


def test_it_is_kept_awake_until_a_time(site: Site) -> None:
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds")
    refused(site, "which is no time with an offset", "-e", "keep_awake_until=tonight")
    mark = site.mark()
    assert play("teardown", "-e", f"keep_awake_until={later}").code == 0
    kept = play("teardown", *GO)
    assert kept.code == 0 and "local is awake, until" in words(kept), kept.story
    assert set(kept.changed.values()) == {0}
    assert play("teardown", "-e", "keep_awake_until=none").code == 0
    assert site.changes_since(mark) == []


def test_killed_at_every_step_the_same_platform_wakes(site: Site) -> None:
    api = f"{site.url}/api/trading"
    order = {"symbol": "SOL-USD", "side": "buy", "quantity": "2", "price": "150.25"}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    number = requests.post(f"{api}/orders", json=order, headers=key, timeout=5).json()["id"]
    before = platform(site)
    for call in DOWN:
        kill_at(site, call, "teardown", *GO)
    # Half asleep it is neither provisioned nor released to.
    half = play("provision", "--limit", "solana")
    assert half.code != 0 and "run playbooks/wake.yml" in words(half), half.story
    done = play("teardown", *GO)
    assert done.code == 0, done.story
    asleep(site)
    saved = re.search(r"\$(\d+\.\d+) saved an hour", words(done))
    assert saved and float(saved[1]) > 0.05, done.story
    assert any("saved an hour" in note for note in map(str, evidence_notes(site, "teardown")))
    mark = site.mark()
    again = play("teardown", *GO)
    assert again.code == 0 and set(again.changed.values()) == {0}, again.story
    assert site.changes_since(mark) == []
    night = play("deploy", "--limit", "hello")
    assert night.code != 0 and "local sleeps since" in words(night), night.story
    drift = play("drift", "--limit", "foundation", "-e", "fail_on_drift=true")
    assert drift.code == 0 and "is looked for when it is awake" in words(drift), drift.story
    for call in UP:
        kill_at(site, call, "wake")
    done = play("wake")
    assert done.code == 0, done.story
    assert re.search(r"\b\d+ passed", done.output), "it is verified as after a deploy"
    assert platform(site) == before
    assert requests.get(f"{api}/orders/{number}", timeout=5).json()["symbol"] == "SOL-USD"
    mark = site.mark()
    again = play("wake")
    assert again.code == 0 and set(again.changed.values()) == {0}, again.story
    assert site.changes_since(mark) == []
    plans = play(
        "drift", "--limit", "foundation,platform,data,solana", "-e", "fail_on_drift=true"
    )  # fmt: skip
    assert plans.code == 0, plans.story


def evidence_notes(site: Site, playbook: str) -> list:
    return evidence(site.cloud.settings.home, playbook)["notes"]
