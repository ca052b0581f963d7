"""ElastiCache: the endpoints that the API returns are where Valkey listens."""

import uuid
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

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
            self.parts[0].name,
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


def test_a_killed_server_comes_back_at_its_address(pair):
    before, killed = pair.describe()["NodeGroups"][0]["PrimaryEndpoint"], pair.parts[0]
    pair.cloud.podman.kill(killed.name)
    wait_for(
        lambda: pair.parts[0].pid not in (0, killed.pid) and pair.says("PING") == "PONG",
        20,
        "the server is back",
    )
    assert pair.describe()["NodeGroups"][0]["PrimaryEndpoint"] == before


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
