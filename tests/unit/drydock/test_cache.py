"""What a Valkey server is told, made from what the API holds."""

import dataclasses

from drydock.controllers.cache_metrics import lag, measure
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


INFO = {
    "run_id": "a", "role": "master", "connected_clients": 3, "used_memory": 50, "maxmemory": 200,
    "used_cpu_sys": 10.0, "used_cpu_user": 20.0, "used_cpu_sys_main_thread": 9.0,
    "used_cpu_user_main_thread": 19.0, "evicted_keys": 5, "keyspace_hits": 100,
    "keyspace_misses": 7, "slave0": {"ip": "10.0.0.5", "lag": 2},
}  # fmt: skip


def test_what_is_counted_is_published_as_what_came_since():
    later = {**INFO, "used_cpu_user": 22.0, "used_cpu_user_main_thread": 20.0,
             "keyspace_hits": 140, "evicted_keys": 6}  # fmt: skip
    made = {name: value for name, value, _ in measure(later, INFO, 5.0, "cache.t4g.micro", None)}
    assert made == {
        "CurrConnections": 3, "IsMaster": 1, "DatabaseMemoryUsagePercentage": 25,
        "CPUUtilization": 20, "EngineCPUUtilization": 20, "Evictions": 1, "CacheHits": 40,
        "CacheMisses": 0,
    }  # fmt: skip


def test_a_server_that_began_anew_counts_from_its_next_look():
    names = {
        name for name, _, _ in measure({**INFO, "run_id": "b"}, INFO, 5.0, "cache.r7g.large", 2)
    }
    assert "CacheHits" not in names and {"ReplicationLag", "IsMaster"} <= names


def test_a_replica_s_lag_is_the_primary_s_word_or_the_time_since_their_link_broke():
    broken = {"master_link_down_since_seconds": 9}
    assert lag(INFO, {}, "10.0.0.5") == 2
    assert lag(INFO, broken, "10.0.0.6") == 9 and lag({}, {}, "10.0.0.6") == 0
