"""ElastiCache: the endpoints that the API returns are where Valkey listens."""

import datetime
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
import redis
from botocore.exceptions import ClientError
from redis.backoff import NoBackoff
from redis.retry import Retry

from .conftest import Cloud, wait_for

_TOKEN = "first-token-of-sixteen"


class Group:
    """One replication group, and a client's way to it: over TCP, by its endpoint."""

    def __init__(self, cloud: Cloud, name: str):
        self.cloud, self.name, self.api = cloud, name, cloud.client("elasticache")

    def describe(self) -> dict:
        found = self.api.describe_replication_groups(ReplicationGroupId=self.name)
        return found["ReplicationGroups"][0]

    def wait(self, status: str = "available") -> dict:
        wait_for(lambda: self.describe()["Status"] == status, 60, f"{self.name} {status}")
        return self.describe()

    def roles(self) -> dict[str, str]:
        """Member → its role, all as of one moment: they may be changing."""
        rows = self.describe()["NodeGroups"][0]["NodeGroupMembers"]
        return {row["CacheClusterId"]: row["CurrentRole"] for row in rows}

    def role(self, member: str) -> str:
        return self.roles()[member]

    @property
    def primary(self) -> str:
        return next(member for member, role in self.roles().items() if role == "primary")

    def part(self, member: str):
        return next(part for part in self.parts if part.id.endswith(member))

    def client(self, endpoint: str = "PrimaryEndpoint") -> redis.Redis:
        """A client over TLS, which trusts the cloud's authority as applications do."""
        at = self.describe()["NodeGroups"][0][endpoint]
        return redis.Redis(
            host=at["Address"], port=at["Port"], ssl=True, socket_timeout=2,
            ssl_ca_certs=str(self.cloud.settings.home / "ca" / "ca.pem"), decode_responses=True,
            socket_connect_timeout=2, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip

    def fail_over(self) -> str:
        """Asks for a failover and waits for its end; the new primary."""
        self.api.test_failover(ReplicationGroupId=self.name, NodeGroupId="0001")
        self.wait()
        return self.primary

    @property
    def parts(self) -> list:
        parts = [p for p in self.cloud.podman.parts("cache") if self.name in p.id]
        return sorted(parts, key=lambda part: part.id)

    def cli(self, *words: str, endpoint: str = "PrimaryEndpoint", tls: bool = True, token=None):
        """One command by valkey-cli; the token goes in by the input."""
        at = self.describe()["NodeGroups"][0][endpoint]
        flags = ["-h", at["Address"], "-p", str(at["Port"]), "-t", "3"]
        flags += ["--tls", "--cacert", "/part/ca.pem"] if tls else []
        script = 'IFS= read -r REDISCLI_AUTH; [ -z "$REDISCLI_AUTH" ] || export REDISCLI_AUTH; '
        script += 'exec valkey-cli --no-auth-warning "$@"'
        return self.cloud.podman.execute(
            next(part for part in self.parts if part.state == "running").name,
            ["sh", "-c", script, "cli", *flags, *words],
            stdin=f"{token or ''}\n",
        )

    def says(self, *words: str, **how) -> str:
        return self.cli(*words, **how).stdout.strip()

    def remove(self) -> None:
        self.api.delete_replication_group(ReplicationGroupId=self.name)

        def gone() -> bool:
            try:
                return not self.describe()
            except ClientError as error:
                return error.response["Error"]["Code"] == "ReplicationGroupNotFoundFault"

        wait_for(gone, 30, f"{self.name} is gone")
        assert not self.parts
        folder = self.cloud.settings.folder("parts", "cache")
        assert not list(folder.glob(f"*{self.name}*"))


@pytest.fixture(scope="module")
def groups(cloud) -> Iterator:
    """Makes replication groups in one subnet group; removes all afterwards."""
    api, name = cloud.client("elasticache"), f"test-{uuid.uuid4().hex[:6]}"
    api.create_cache_subnet_group(
        CacheSubnetGroupName=name,
        CacheSubnetGroupDescription="tests",
        SubnetIds=cloud.vpc.private_subnets,
    )
    made: list[Group] = []

    def make(**given) -> Group:
        group = Group(cloud, f"{name}-{len(made)}")
        created = api.create_replication_group(
            **{
                "ReplicationGroupId": group.name,
                "ReplicationGroupDescription": "tests",
                "Engine": "valkey",
                "EngineVersion": "8.0",
                "CacheNodeType": "cache.t4g.micro",
                "CacheSubnetGroupName": name,
                **given,
            }
        )["ReplicationGroup"]
        assert created["Status"] == "creating"
        made.append(group)
        group.wait()
        return group

    yield make
    for group in made:
        group.remove()
    api.delete_cache_subnet_group(CacheSubnetGroupName=name)


@pytest.fixture(scope="module")
def pair(groups) -> Group:
    """A primary and a replica, TLS, no token."""
    return groups(NumCacheClusters=2, TransitEncryptionEnabled=True, AutomaticFailoverEnabled=True)


def test_primary_and_replica_are_where_the_api_says(cloud, pair):
    shard = pair.describe()["NodeGroups"][0]
    assert [m["CurrentRole"] for m in shard["NodeGroupMembers"]] == ["primary", "replica"]
    assert pair.says("SET", "key", "value") == "OK"
    wait_for(lambda: pair.says("GET", "key", endpoint="ReaderEndpoint") == "value", 10, "a copy")
    assert "READONLY" in pair.says("SET", "key", "other", endpoint="ReaderEndpoint")
    shown = {row["id"]: row for row in cloud.status()["caches"]}[pair.name]
    assert (shown["address"], shown["tls"]) == (shard["PrimaryEndpoint"]["Address"], True)


def test_plain_text_is_refused_where_transit_is_encrypted(pair):
    assert pair.cli("PING", tls=False).code != 0


def test_members_are_described_as_clusters(cloud, pair):
    for member in pair.describe()["MemberClusters"]:
        [cluster] = pair.api.describe_cache_clusters(CacheClusterId=member, ShowCacheNodeInfo=True)[
            "CacheClusters"
        ]
        assert cluster["EngineVersion"].startswith("8.0")
        assert cluster["CacheNodes"][0]["Endpoint"]["Address"].startswith(
            cloud.vpc.cidr.removesuffix("0.0/16")
        )


def test_replicas_come_and_go(pair):
    pair.api.increase_replica_count(
        ReplicationGroupId=pair.name, NewReplicaCount=2, ApplyImmediately=True
    )
    pair.wait()
    assert len(pair.parts) == 3
    assert "connected_slaves:2" in pair.says("INFO", "replication")
    pair.api.decrease_replica_count(
        ReplicationGroupId=pair.name, NewReplicaCount=1, ApplyImmediately=True
    )
    pair.wait()
    assert len(pair.parts) == 2


@pytest.mark.parametrize("how", ["killed", "paused", "cut off"])
def test_a_lost_primary_is_replaced_by_its_replica(pair, how):
    before, old = pair.wait()["NodeGroups"][0], pair.primary
    assert pair.client().set("kept", how)
    assert pair.client().wait(1, 3000) == 1
    podman, name = pair.cloud.podman, pair.part(old).name
    if how == "killed":
        podman.kill(name)
    elif how == "paused":  # it hangs, and its connections with it
        podman.pause(name)
    else:
        cut = "table inet cut { chain in { type filter hook input priority 0; policy drop; }; }"
        target = f"--target={pair.part(old).pid}"
        subprocess.run(["nsenter", target, "--net", "nft", cut], check=True)
    wait_for(lambda: pair.primary != old, 30, "a replica is promoted")
    wait_for(lambda: pair.says("GET", "kept") == how, 5, "the endpoint leads to it")
    assert pair.client().set("after", how)
    after = pair.wait()["NodeGroups"][0]
    assert after["PrimaryEndpoint"] == before["PrimaryEndpoint"]
    assert after["ReaderEndpoint"] == before["ReaderEndpoint"]
    assert pair.role(old) == "replica"
    assert pair.client("ReaderEndpoint").info("replication")["role"] == "slave"
    # Replication is asynchronous.
    reader = pair.client("ReaderEndpoint")
    wait_for(lambda: reader.get("after") == how, 10, "the new replica has what was written")


def test_a_failover_that_is_asked_for_loses_no_confirmed_write(pair):
    old = (before := pair.wait()) and pair.primary
    confirmed, stop, longest = [], threading.Event(), 0.0

    def write() -> None:
        nonlocal longest
        client, last = pair.client(), time.monotonic()
        while not stop.is_set():
            key = f"write-{len(confirmed)}-{time.monotonic()}"
            try:
                if client.set(key, 1) and client.wait(1, 500) >= 1:
                    confirmed.append(key)
                    longest, last = max(longest, time.monotonic() - last), time.monotonic()
            except redis.RedisError:
                client.close()
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(lambda: len(confirmed) > 100, 20, "writes")
        asked = pair.api.test_failover(ReplicationGroupId=pair.name, NodeGroupId="0001")
        assert asked["ReplicationGroup"]["Status"] == "modifying"
        wait_for(lambda: pair.primary != old, 20, "the roles have changed")
        pair.wait()
        number = len(confirmed)
        wait_for(lambda: len(confirmed) > number + 100, 20, "writes go on")
    finally:
        stop.set()
        writer.join()
    present = pair.client().exists(*confirmed)
    print(f"{len(confirmed)} writes confirmed, longest without {longest:.2f} s")
    assert present == len(confirmed) and longest < 15
    assert pair.describe()["MemberClusters"] == before["MemberClusters"]
    told = [
        event["Message"]
        for event in pair.api.describe_events(Duration=5)["Events"]
        if event["SourceIdentifier"].startswith(pair.name)
    ]
    new = pair.primary
    assert told[-5:] == [
        "Test Failover API called for node group 0001",
        f"Failover from primary node {old} to replica node {new} completed",
        f"Failover from primary node {old} to replica node {new} completed",
        "Recovering cache nodes 0001",
        "Finished recovery for cache nodes 0001",
    ]


def test_a_primary_stays_when_replicas_go(pair):
    pair.wait()
    assert pair.primary.endswith("-002") or pair.fail_over().endswith("-002")
    for count in (0, 1):
        call = pair.api.decrease_replica_count if not count else pair.api.increase_replica_count
        call(ReplicationGroupId=pair.name, NewReplicaCount=count, ApplyImmediately=True)
        pair.wait()
        assert pair.primary.endswith("-002") and len(pair.parts) == count + 1


def test_nodes_are_measured(pair):
    pair.wait()
    for _ in range(3):
        pair.says("GET", "nothing there")

    def newest(name: str, member: str) -> float | None:
        now = datetime.datetime.now(datetime.UTC)
        found = pair.cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ElastiCache", MetricName=name, Statistics=["Maximum"], Period=60,
            StartTime=now - datetime.timedelta(minutes=2), EndTime=now,
            Dimensions=[{"Name": "CacheClusterId", "Value": member},
                        {"Name": "CacheNodeId", "Value": "0001"}],
        )["Datapoints"]  # fmt: skip
        return max((row["Maximum"] for row in found), default=None)

    [replica] = set(pair.describe()["MemberClusters"]) - {pair.primary}
    wait_for(lambda: newest("CacheMisses", pair.primary), 20, "misses are counted")
    assert newest("IsMaster", pair.primary) == 1 and newest("CurrConnections", pair.primary) >= 1
    assert newest("EngineCPUUtilization", pair.primary) < 100
    assert 0 < newest("DatabaseMemoryUsagePercentage", replica) < 10
    assert newest("ReplicationLag", replica) is not None
    assert newest("ReplicationLag", pair.primary) is None or pair.primary.endswith("-002")


def test_without_automatic_failover_a_primary_comes_back_empty(groups):
    group = groups(NumCacheClusters=2)
    old, endpoint = group.primary, group.describe()["NodeGroups"][0]["PrimaryEndpoint"]
    with pytest.raises(ClientError, match="TestFailoverNotAvailable"):
        group.api.test_failover(ReplicationGroupId=group.name, NodeGroupId="0001")
    assert group.says("SET", "lost", "yes", tls=False) == "OK"
    group.cloud.podman.pause(group.part(old).name)
    wait_for(lambda: group.cli("PING", tls=False).code == 0, 30, "it is replaced")
    assert group.says("EXISTS", "lost", tls=False) == "0"
    assert group.primary == old
    [other] = set(group.describe()["MemberClusters"]) - {old}
    group.api.modify_replication_group(
        ReplicationGroupId=group.name, PrimaryClusterId=other, ApplyImmediately=True
    )
    group.wait()
    assert group.primary == other
    assert group.describe()["NodeGroups"][0]["PrimaryEndpoint"] == endpoint
    assert group.says("SET", "new", "yes", tls=False) == "OK"


def test_parameters_are_in_force(cloud, groups):
    api, name = cloud.client("elasticache"), f"test-{uuid.uuid4().hex[:6]}"
    api.create_cache_parameter_group(
        CacheParameterGroupName=name, CacheParameterGroupFamily="valkey8", Description="tests"
    )

    def choose(policy: str) -> None:
        api.modify_cache_parameter_group(
            CacheParameterGroupName=name,
            ParameterNameValues=[{"ParameterName": "maxmemory-policy", "ParameterValue": policy}],
        )

    choose("allkeys-lru")
    group = groups(CacheParameterGroupName=name)
    policy = "maxmemory_policy:"
    assert f"{policy}allkeys-lru" in group.says("INFO", "memory", tls=False)
    assert group.says("SET", "kept", "yes", tls=False) == "OK"
    choose("noeviction")
    wait_for(
        lambda: f"{policy}noeviction" in group.says("INFO", "memory", tls=False), 10, "the change"
    )
    assert group.says("GET", "kept", tls=False) == "yes"


def test_tokens_are_asked_for_rotated_and_set(cloud, groups):
    group = groups(TransitEncryptionEnabled=True, AuthToken=_TOKEN)
    assert "NOAUTH" in group.says("PING")
    assert group.says("PING", token=_TOKEN) == "PONG"
    inspected = cloud.podman.command("inspect", group.parts[0].name).stdout
    assert _TOKEN not in inspected

    def give(token: str, strategy: str) -> None:
        group.api.modify_replication_group(
            ReplicationGroupId=group.name,
            AuthToken=token,
            AuthTokenUpdateStrategy=strategy,
            ApplyImmediately=True,
        )
        group.wait()

    second = "second-token-of-sixteen"
    give(second, "ROTATE")
    assert group.says("PING", token=_TOKEN) == group.says("PING", token=second) == "PONG"
    give(second, "SET")
    assert "WRONGPASS" in group.cli("PING", token=_TOKEN).stderr + group.says("PING", token=_TOKEN)
    assert group.says("PING", token=second) == "PONG"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"NumNodeGroups": 2}, "one shard"),
        ({"TransitEncryptionMode": "preferred"}, "both TLS and plain"),
        ({}, "name a cache subnet group"),
    ],
)
def test_what_can_not_run_is_refused_with_a_reason(cloud, given, words):
    with pytest.raises(ClientError, match=words):
        cloud.client("elasticache").create_replication_group(
            ReplicationGroupId="refused", ReplicationGroupDescription="tests", **given
        )
