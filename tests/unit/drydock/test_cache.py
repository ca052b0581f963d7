"""What a Valkey server is told, made from what the API holds."""

import dataclasses

from drydock.controllers.cache_server import configuration
from drydock.moto.elasticache import Cache

CACHE = Cache(
    region="us-east-1", id="app", status="creating", node_type="cache.t4g.micro", port=6379,
    tls=True, address=None, tokens=(), members=(("app-001", "subnet-1"),), primary="app-001",
    automatic_failover=True, promote="", parameters=(),
)  # fmt: skip


def test_tls_leaves_no_plain_port():
    lines = configuration(CACHE, "inner", None)
    assert ("port", "0") in lines and ("tls-port", "6379") in lines
    plain = configuration(dataclasses.replace(CACHE, tls=False), "inner", None)
    assert ("port", "6379") in plain and not any(name.startswith("tls") for name, _ in plain)


def test_a_replica_copies_the_primary_as_the_controller_s_user():
    assert ("replicaof", "10.0.0.4 6379") in configuration(CACHE, "inner", "10.0.0.4")
    assert not any(name == "replicaof" for name, _ in configuration(CACHE, "inner", None))


def test_clients_need_a_token_only_where_one_was_given():
    assert ("user", "default on nopass ~* &* +@all") in configuration(CACHE, "inner", None)
    guarded = dataclasses.replace(CACHE, tokens=("old", "new"))
    assert ("user", "default on >old >new ~* &* +@all") in configuration(guarded, "inner", None)
    assert "old" not in repr(guarded)


def test_the_group_s_parameters_win_over_defaults():
    lines = dict(configuration(CACHE, "inner", None))
    assert (lines["maxmemory-policy"], lines["maxmemory"]) == ("volatile-lru", "536870912")
    chosen = dataclasses.replace(CACHE, parameters=(("maxmemory-policy", "allkeys-lru"),))
    assert dict(configuration(chosen, "inner", None))["maxmemory-policy"] == "allkeys-lru"
