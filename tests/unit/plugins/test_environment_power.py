"""Sleep and wake: what slept wakes as it was, killed anywhere or not, and prod never sleeps."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from ansible_collections.drydock.ops.plugins.module_utils import power, power_guards, power_steps
from ansible_collections.drydock.ops.plugins.module_utils.power import TAG, Refused, tags_of
from ansible_collections.drydock.ops.plugins.modules import environment_power

PROJECT = Path(__file__).resolve().parents[3]
REGION = "us-east-1"
ACCOUNT = "123456789012"
HELD = {"DynamicScalingInSuspended": True}


class Killed(BaseException):
    """As by SIGKILL: nothing of the run's own code runs after it."""


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    """The inventory of an account in which dev may sleep, and of prod elsewhere."""
    folder = tmp_path / "inventories"
    table = {
        "dev": {"account_id": ACCOUNT},
        "staging": {"account_id": "222222222222"},
        "prod": {"account_id": "333333333333", "never_sleeps": True},
    }
    write(folder / "common/vars/environments.yml", {"environments": table})
    for name in table:
        own = {"sleep_allowed": True} if name == "dev" else {}
        write(folder / name / "group_vars/all/environment.yml", own)
    return folder


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


@pytest.fixture
def dev(aws: Any, table: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service that scales and one that does not, a fleet, a database; prod's beside."""
    aws = functools.cache(aws)  # a client costs more than its calls
    monkeypatch.setattr(environment_power, "client", lambda service, _region: aws(service))
    tag = {"Key": "Environment", "Value": "dev"}
    ecs, scaling = aws("ecs"), aws("autoscaling")
    ecs.create_cluster(clusterName="drydock-dev", tags=[{"key": "Environment", "value": "dev"}])
    ecs.register_task_definition(
        family="t", containerDefinitions=[{"name": "t", "image": "t", "memory": 64}]
    )
    for name, count in (("hello", 3), ("api", 2), ("quiet", 0)):
        ecs.create_service(
            cluster="drydock-dev", serviceName=name, taskDefinition="t", desiredCount=count
        )
    aws("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ResourceId="service/drydock-dev/hello", SuspendedState=HELD,
        ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=4,
    )  # fmt: skip
    scaling.create_launch_configuration(
        LaunchConfigurationName="l", ImageId="ami-12c6146b", InstanceType="t3.micro"
    )
    for environment in ("dev", "prod"):
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=f"drydock-{environment}-solana", LaunchConfigurationName="l",
            MinSize=1, MaxSize=3, DesiredCapacity=2, AvailabilityZones=[f"{REGION}a"],
            Tags=[{**tag, "Value": environment, "PropagateAtLaunch": True}],
        )  # fmt: skip
        aws("rds").create_db_instance(
            DBInstanceIdentifier=f"drydock-{environment}", DBInstanceClass="db.t4g.micro",
            Engine="postgres", Tags=[{**tag, "Value": environment}],
        )  # fmt: skip
    # moto starts no tasks.
    monkeypatch.setattr(power_steps, "_serving", lambda _night, one: one["desiredCount"])
    return aws


@pytest.fixture
def do(
    dev: Any, inventories: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """A function that does one step as the action plugin does: until it is finished."""
    ticks = itertools.count()

    class Clock(datetime):
        """Goes on by a second at each look: no two nights begin in the same one."""

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=next(ticks))

    monkeypatch.setattr(environment_power, "datetime", Clock)

    def step(action: str, name: str, check: bool = False, **more: Any) -> dict[str, Any]:
        want = {
            "environment": "dev", "action": action, "step": name, "awake_until": "", "intended": "",
            "window_minutes": 60, "keep_snapshots": 2, "needed": [], "lock_table": "locks",
            "state_bucket": "states",
            "inventories": str(inventories), "region": REGION, **more,
        }  # fmt: skip
        done: list[str] = []
        for _look in range(9):
            result = environment_power.run(want, check)
            done += result["done"]
            if result["finished"]:
                return {**result, "done": done}
        raise AssertionError(result["progress"])

    return step


WAYS = {
    "sleep": ("begin", "services", "fleet", "databases", "end"),
    "wake": ("begin", "databases", "fleet", "services", "end"),
}


def all_of(do: Any, action: str, **more: Any) -> list[str]:
    return [one for step in WAYS[action] for one in do(action, step, **more)["done"]]


def seen(aws: Any) -> dict[str, Any]:
    """Everything of dev that sleep could change."""
    services = aws("ecs").describe_services(
        cluster="drydock-dev", services=["hello", "api", "quiet"], include=["TAGS"]
    )["services"]
    targets = aws("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    groups = aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    databases = aws("rds").describe_db_instances()["DBInstances"]
    return {
        **{one["serviceName"]: (one["desiredCount"], tags_of(one.get("tags"))) for one in services},
        "scaling": {
            key for key, on in targets["ScalableTargets"][0]["SuspendedState"].items() if on
        },
        **{
            one["AutoScalingGroupName"]: (
                one["MinSize"], one["MaxSize"], one["DesiredCapacity"],
                len(one["Instances"]), tags_of(one["Tags"]),
            )
            for one in groups
        },
        **{
            one["DBInstanceIdentifier"]: (one["DBInstanceStatus"], tags_of(one["TagList"]))
            for one in databases
        },
    }  # fmt: skip


def snapshots(aws: Any) -> list[str]:
    found = aws("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    return sorted(one["DBSnapshotIdentifier"] for one in found)


def test_what_sleeps_wakes_as_it_was(dev: Any, do: Any) -> None:
    before = seen(dev)
    all_of(do, "sleep")
    asleep = seen(dev)
    assert asleep["hello"] == (0, {TAG: "3 in"}) and asleep["api"] == (0, {TAG: "2"})
    assert asleep["quiet"] == (0, {}), "what somebody stopped has no tag"
    assert asleep["scaling"] == set(power.SUSPENSIONS.values())
    fleet = asleep["drydock-dev-solana"]
    assert fleet[:4] == (0, 0, 0, 0) and fleet[4][TAG] == "1/3/2"
    (snapshot,) = snapshots(dev)
    assert asleep["drydock-dev"][0] == "stopped" and asleep["drydock-dev"][1][TAG] == snapshot
    assert do("sleep", "state")["asleep"]
    all_of(do, "wake")
    assert seen(dev) == before
    assert not do("wake", "state")["asleep"]
    for name in ("drydock-prod", "drydock-prod-solana"):
        assert asleep[name] == before[name]


def test_what_a_killed_terraform_made_and_did_not_note_is_taken_away(dev: Any, do: Any) -> None:
    """Of two zones, one's gateway and route are in the state; another environment has its own."""
    ec2, s3 = dev("ec2"), dev("s3")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = {}
    for number, environment in enumerate(("dev", "dev", "prod")):
        tag = [{"Key": "Environment", "Value": environment}]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(
            VpcId=vpc, TagSpecifications=[{"ResourceType": "route-table", "Tags": tag}]
        )["RouteTable"]["RouteTableId"]
        gateway = ec2.create_nat_gateway(
            SubnetId=subnet, AllocationId=ec2.allocate_address()["AllocationId"],
            TagSpecifications=[{"ResourceType": "natgateway", "Tags": tag}],
        )["NatGateway"]["NatGatewayId"]  # fmt: skip
        way = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
        ec2.create_route(**way, NatGatewayId=gateway)
        made[gateway] = table
    noted, lost, others = made
    route = {"route_table_id": made[noted], "destination_cidr_block": "0.0.0.0/0"}
    state = {
        "resources": [
            {"mode": "managed", "type": kind, "instances": [{"attributes": attributes}]}
            for kind, attributes in (("aws_nat_gateway", {"id": noted}), ("aws_route", route))
        ]
    }
    s3.create_bucket(Bucket="states")
    s3.put_object(Bucket="states", Key="dev/foundation.tfstate", Body=json.dumps(state))

    def there() -> dict[str, int]:
        tables = ec2.describe_route_tables(RouteTableIds=list(made.values()))["RouteTables"]
        ways = {
            one["RouteTableId"]: sum("NatGatewayId" in route for route in one["Routes"])
            for one in tables
        }
        gateways = ec2.describe_nat_gateways()["NatGateways"]
        return {
            one["NatGatewayId"]: ways[made[one["NatGatewayId"]]]
            for one in gateways
            if one["State"] == "available"
        }

    assert there() == {noted: 1, lost: 1, others: 1}
    assert len(do("wake", "network", check=True)["done"]) == 2
    assert there() == {noted: 1, lost: 1, others: 1}
    do("wake", "network")
    assert there() == {noted: 1, others: 1}
    assert do("wake", "network")["done"] == []


def test_to_do_it_again_does_nothing(dev: Any, do: Any) -> None:
    all_of(do, "sleep")
    asleep = seen(dev)
    assert all_of(do, "sleep") == [] and seen(dev) == asleep and len(snapshots(dev)) == 1
    all_of(do, "wake")
    assert all_of(do, "wake") == []


def test_a_rehearsal_says_all_and_calls_nothing(
    dev: Any, do: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(dev)
    rehearsed = all_of(do, "sleep", check=True)
    assert sorted(one.split(":")[0] for one in rehearsed) == [
        "api", "drydock-dev", "drydock-dev", "drydock-dev-solana", "hello",
    ]  # fmt: skip
    assert seen(dev) == before and snapshots(dev) == [] and not do("sleep", "state")["asleep"]
    all_of(do, "sleep")
    asleep = seen(dev)
    assert len(all_of(do, "wake", check=True)) == 4
    assert seen(dev) == asleep


class Axe:
    """Ends the run at its nth change, before or after it is made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real, self.left, self.after, self.calls = power_steps.Night.call, 0, False, 0
        monkeypatch.setattr(power_steps.Night, "call", lambda *a, **k: self(*a, **k))

    def __call__(self, night: Any, service: str, operation: str, /, **given: Any) -> None:
        if not night.write:
            return
        self.calls += 1
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        self.real(night, service, operation, **given)
        if self.left == 0:
            raise Killed


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_change_it_converges(
    dev: Any, do: Any, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Down and up, killed at the first change, at the second, until a run comes through."""
    before, axe = seen(dev), Axe(monkeypatch)
    axe.after = after
    kills = {}
    for action in ("sleep", "wake"):
        kills[action] = 0
        for number in range(1, 40):
            axe.left = number
            try:
                all_of(do, action)
                break
            except Killed:
                kills[action] += 1
                # Whatever state it left, it is known that the night has begun.
                assert do(action, "state")["asleep"]
            # Each kill starts from where a run through would: the whole way is walked again.
            axe.left = 0
            if action == "sleep":
                all_of(do, "wake")
                assert seen(dev) == before, f"woken from a sleep that was killed at {number}"
            else:
                all_of(do, "wake")
                assert seen(dev) == before, f"woken again after a kill at {number}"
                all_of(do, "sleep")
        else:
            raise AssertionError("it never came through")
    assert seen(dev) == before
    assert kills["sleep"] >= 10 and kills["wake"] >= 8, kills


@pytest.mark.parametrize("after", [False, True])
def test_a_killed_sleep_is_gone_on_with(
    dev: Any, do: Any, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Killed at its first change, then again and again at the next run's first."""
    before, axe = seen(dev), Axe(monkeypatch)
    axe.after = after
    runs = 0
    while True:
        runs += 1
        # Killed before a change, a run must get one further than the last to get on at all.
        axe.left = 1 if after else 2
        try:
            all_of(do, "sleep")
            break
        except Killed:
            assert runs < 40
    axe.left = 0
    assert runs > 5 and len(snapshots(dev)) == 1
    asleep = seen(dev)
    assert asleep["hello"][1][TAG] == "3 in" and asleep["drydock-dev-solana"][4][TAG] == "1/3/2"
    all_of(do, "wake")
    assert seen(dev) == before


def test_what_is_kept_awake_stays_up_and_so_does_what_it_needs(dev: Any, do: Any) -> None:
    later = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="seconds")
    over = (datetime.now(UTC) - timedelta(hours=3)).isoformat(timespec="seconds")
    ecs = dev("ecs")
    for name, until in (("hello", later), ("api", over)):
        arn = ecs.describe_services(cluster="drydock-dev", services=[name])["services"][0]
        tags = [{"key": power.AWAKE_TAG, "value": until}]
        ecs.tag_resource(resourceArn=arn["serviceArn"], tags=tags)
    do("sleep", "begin")
    kept = do("sleep", "services")["kept"]
    assert len(kept) == 1 and kept[0].startswith("hello stays up: kept awake until")
    assert seen(dev)["hello"][0] == 3 and seen(dev)["api"][0] == 0
    databases = do("sleep", "databases", needed=kept)
    assert "what needs it is kept awake" in databases["kept"][0]
    assert seen(dev)["drydock-dev"][0] == "available"


def test_a_mark_that_can_t_be_read_is_refused_before_anything(dev: Any, do: Any) -> None:
    tags = [{"Key": power.AWAKE_TAG, "Value": "tomorrow"}]
    arn = dev("rds").describe_db_instances(DBInstanceIdentifier="drydock-dev")["DBInstances"][0]
    dev("rds").add_tags_to_resource(ResourceName=arn["DBInstanceArn"], Tags=tags)
    before = seen(dev)
    with pytest.raises(Refused, match=r'database drydock-dev is "tomorrow".*Nothing was changed'):
        do("sleep", "begin")
    assert seen(dev) == before and not do("sleep", "state")["asleep"]


def test_an_environment_is_kept_awake_by_its_note(dev: Any, do: Any) -> None:
    later = (datetime.now(UTC) + timedelta(hours=3)).isoformat(timespec="seconds")
    assert do("sleep", "keep_awake", awake_until=later)["changed"]
    assert not do("sleep", "keep_awake", awake_until=later)["changed"]
    assert do("sleep", "begin")["go"] is False and not do("sleep", "state")["asleep"]
    do("sleep", "keep_awake", awake_until="none")
    assert do("sleep", "begin")["go"] is True
    for wrong, words in (("2020-01-01T00:00Z", "which is over"), ("18:00", "no time with an off")):
        with pytest.raises(Refused, match=words):
            do("sleep", "keep_awake", awake_until=wrong)


def test_a_note_that_is_over_lets_it_sleep(do: Any, dev: Any) -> None:
    over = {"keep_awake_until": {"S": "2026-01-01T00:00:00+00:00"}, "LockID": {"S": "dev/sleep"}}
    dev("dynamodb").put_item(TableName="locks", Item=over)
    assert do("sleep", "begin")["go"] is True
    assert "keep_awake_until" not in power.Note(dev("dynamodb"), "locks", "dev").read()


def test_of_snapshots_of_nights_few_are_kept_and_others_never_touched(dev: Any, do: Any) -> None:
    rds = dev("rds")
    mine = [{"Key": TAG, "Value": "drydock-dev"}]
    for day in range(1, 8):
        rds.create_db_snapshot(
            DBSnapshotIdentifier=f"drydock-dev-asleep-2020010{day}-180000",
            DBInstanceIdentifier="drydock-dev", Tags=mine,
        )  # fmt: skip
    others = ["drydock-dev-asleep-by-hand", "drydock-dev-before-upgrade"]
    for name, tags in zip(others, ([], mine), strict=True):
        rds.create_db_snapshot(
            DBSnapshotIdentifier=name, DBInstanceIdentifier="drydock-dev", Tags=tags
        )
    all_of(do, "sleep")
    left = snapshots(dev)
    assert set(others) <= set(left)
    # Two are to be kept; of the six others three go at once.
    assert sum(one.startswith("drydock-dev-asleep-2") for one in left) == 5
    assert not any(f"2020010{day}" in one for day in (1, 2, 3) for one in left)


def test_a_database_with_a_replica_stays_up_and_why_is_said(dev: Any, do: Any) -> None:
    dev("rds").create_db_instance_read_replica(
        DBInstanceIdentifier="drydock-dev-copy", SourceDBInstanceIdentifier="drydock-dev"
    )
    do("sleep", "begin")
    kept = do("sleep", "databases")["kept"]
    assert any("has a read replica (drydock-dev-copy)" in one for one in kept), kept
    assert snapshots(dev) == []


def test_refused_by_data_alone(inventories: Path) -> None:
    power_guards.by_data(inventories, "dev")
    for name, words in (("prod", "never sleeps"), ("staging", "may not sleep"), ("x", "never")):
        with pytest.raises(Refused, match=words):
            power_guards.by_data(inventories, name)
    # Somebody lets prod sleep in its own file: the table stands.
    write(inventories / "prod/group_vars/all/environment.yml", {"sleep_allowed": True})
    with pytest.raises(Refused, match="prod never sleeps"):
        power_guards.by_data(inventories, "prod")


@pytest.mark.parametrize("flag", [{"never_sleeps": True}, {}])
def test_refused_by_account_alone(dev: Any, inventories: Path, flag: dict[str, bool]) -> None:
    """Data and resources would let it: only the account is prod's, or unknown."""
    sts = dev("sts")
    power_guards.by_account(sts, inventories, "dev")
    file = inventories / "common/vars/environments.yml"
    table = {"dev": {"account_id": "111111111111"}}
    table["prod"] = {"account_id": ACCOUNT if flag else "333333333333", **flag}
    write(file, {"environments": table})
    power_guards.by_data(inventories, "dev")
    power_guards.by_resources({one: dev(one) for one in ("ecs", "rds", "autoscaling")}, "dev")
    with pytest.raises(Refused, match="of prod, and that never" if flag else "not that of dev"):
        power_guards.by_account(sts, inventories, "dev")


@pytest.mark.parametrize("what", ["cluster", "fleet", "protection"])
def test_refused_by_resources_alone(dev: Any, inventories: Path, do: Any, what: str) -> None:
    """Data and account would let it: only what stands there says prod, or is protected."""
    clients = {one: dev(one) for one in ("ecs", "rds", "autoscaling")}
    power_guards.by_resources(clients, "dev")
    if what == "cluster":
        arn = dev("ecs").describe_clusters(clusters=["drydock-dev"])["clusters"][0]["clusterArn"]
        tags = [{"key": "Environment", "value": "prod"}]
        dev("ecs").tag_resource(resourceArn=arn, tags=tags)
    elif what == "fleet":
        tag = {"ResourceId": "drydock-dev-solana", "ResourceType": "auto-scaling-group",
               "Key": "Environment", "Value": "prod", "PropagateAtLaunch": True}  # fmt: skip
        dev("autoscaling").create_or_update_tags(Tags=[tag])
    else:
        dev("rds").modify_db_instance(DBInstanceIdentifier="drydock-dev", DeletionProtection=True)
    power_guards.by_data(inventories, "dev")
    power_guards.by_account(dev("sts"), inventories, "dev")
    before = seen(dev)
    words = "is protected against deletion" if what == "protection" else "Environment=prod"
    with pytest.raises(Refused, match=f"{words}.*Nothing was changed"):
        do("sleep", "begin")
    assert seen(dev) == before and not do("sleep", "state")["asleep"]


def test_the_project_s_inventory_lets_dev_and_local_sleep_and_nobody_else() -> None:
    for name in power_guards.table(PROJECT / "inventories"):
        if name in ("dev", "local"):
            power_guards.by_data(PROJECT / "inventories", name)
        else:
            with pytest.raises(Refused):
                power_guards.by_data(PROJECT / "inventories", name)


def days(zone: str) -> Iterator[datetime]:
    """Every day of a year, at the hour for which a start is meant."""
    first = datetime(2026, 1, 1, 18, 0, tzinfo=ZoneInfo(zone))
    for number in range(365):
        # Of wall clocks: the same hour of the next day, however long the night was.
        yield first + timedelta(days=number)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin"])
@pytest.mark.parametrize("clock", ["18:00", "08:00", "02:30", "01:30"])
def test_a_year_of_starts_is_on_time_or_late_by_real_minutes(zone: str, clock: str) -> None:
    hour, minute = map(int, clock.split(":"))
    offsets = set()
    for day in days(zone):
        meant = day.replace(hour=hour, minute=minute)
        moment = meant.astimezone(UTC)
        offsets.add(meant.utcoffset())
        for minutes in (0, 59):
            power.refuse_late(f"{clock} {zone}", 60, moment + timedelta(minutes=minutes), "sleep")
        with pytest.raises(Refused, match="too late"):
            power.refuse_late(f"{clock} {zone}", 60, moment + timedelta(minutes=61), "sleep")
        # A minute early is a day late: the last time was yesterday.
        with pytest.raises(Refused, match="yesterday"):
            power.refuse_late(f"{clock} {zone}", 60, moment - timedelta(minutes=1), "sleep")
    assert len(offsets) == 2, "a year has both clocks"


def test_a_late_start_is_told_what_it_was_for() -> None:
    now = datetime(2026, 11, 24, 8, 10, tzinfo=UTC)
    with pytest.raises(Refused, match=r"It is 09:10; this sleep was for 18:00 yesterday \(Europe/"):
        power.refuse_late("18:00 Europe/Berlin", 60, now, "sleep")
    for wrong in ("18:00", "25:00 Europe/Berlin", "18:00 Europe/Atlantis"):
        with pytest.raises(Refused, match="is no local time"):
            power.refuse_late(wrong, 60, now, "sleep")


@pytest.mark.parametrize("value", ["", "three", "3 up", "-1"])
def test_a_tag_that_can_t_be_read_is_named(value: str) -> None:
    with pytest.raises(Refused, match=TAG):
        power.read_service_note(value)
    with pytest.raises(Refused, match=TAG):
        power.read_fleet_note(value)


@pytest.fixture
def automation() -> Any:
    path = PROJECT / "terraform/stacks/operations/power.py"
    spec = importlib.util.spec_from_file_location("automation_power", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return lambda action: made.handler(
        {"environment": "dev", "region": REGION, "action": action}, None
    )["done"]


def test_what_the_automation_puts_to_sleep_is_woken_here(
    dev: Any, do: Any, automation: Any
) -> None:
    before = seen(dev)
    automation("sleep")
    assert seen(dev)["hello"] == (0, {TAG: "3 in"})
    all_of(do, "wake")
    assert seen(dev) == before


def test_what_sleeps_by_this_is_woken_by_the_automation(dev: Any, do: Any, automation: Any) -> None:
    before = seen(dev)
    for step in ("begin", "services", "databases"):
        do("sleep", step)
    automation("wake")
    assert json.dumps(seen(dev), default=sorted) == json.dumps(before, default=sorted)


def test_the_automation_wakes_nothing_without_a_way_out(dev: Any, do: Any, automation: Any) -> None:
    ec2 = dev("ec2")
    tags = [{"Key": "Environment", "Value": "dev"}, {"Key": "Name", "Value": "drydock-dev-nat-a"}]
    address = ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}]
    )
    all_of(do, "sleep")
    asleep = seen(dev)
    with pytest.raises(RuntimeError, match=r"only playbooks/wake\.yml brings it back"):
        automation("wake")
    assert seen(dev) == asleep
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_nat_gateway(
        SubnetId=subnet, AllocationId=address["AllocationId"],
        TagSpecifications=[{"ResourceType": "natgateway", "Tags": tags}],
    )  # fmt: skip
    assert automation("wake")
