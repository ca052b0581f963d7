"""ElastiCache's host and engine metrics, from a server's INFO.

Names and meanings: ElastiCache user guide, "Metrics for Valkey and Redis OSS".
"""

from collections.abc import Mapping
from typing import Any

_VCPUS = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}


def measure(
    info: Mapping[str, Any],
    before: Mapping[str, Any],
    seconds: float,
    node_type: str,
    lag: float | None,
) -> list[tuple[str, float, str]]:
    """(name, value, unit) of a node's metrics.

    Args:
        before: the INFO of ``seconds`` ago; empty when there is none, then what is counted is
            not in the result.
        lag: of a replica, seconds; None for the primary.
    """
    limit = info.get("maxmemory") or 0
    made = [
        ("CurrConnections", float(info["connected_clients"]), "Count"),
        ("IsMaster", float(info["role"] == "master"), "Count"),
    ]
    if limit:
        made.append(("DatabaseMemoryUsagePercentage", 100 * info["used_memory"] / limit, "Percent"))
    if lag is not None:
        made.append(("ReplicationLag", lag, "Seconds"))
    # A run id of its own for each start: counters begin anew with it.
    if seconds <= 0 or before.get("run_id") != info["run_id"]:
        return made

    def grown(*keys: str) -> float:
        return max(sum(float(info.get(key, 0)) - float(before.get(key, 0)) for key in keys), 0.0)

    busy = grown("used_cpu_sys", "used_cpu_user") / seconds
    engine = grown("used_cpu_sys_main_thread", "used_cpu_user_main_thread") / seconds
    vcpus = _VCPUS.get(node_type.rpartition(".")[2], 8)
    return [
        *made,
        ("CPUUtilization", min(100 * busy / vcpus, 100.0), "Percent"),
        ("EngineCPUUtilization", min(100 * engine, 100.0), "Percent"),
        ("Evictions", grown("evicted_keys"), "Count"),
        ("CacheHits", grown("keyspace_hits"), "Count"),
        ("CacheMisses", grown("keyspace_misses"), "Count"),
    ]


def lag(primary: Mapping[str, Any], replica: Mapping[str, Any], address: str) -> float:
    """Seconds that a replica is behind: since its last acknowledgement, as the primary sees it;
    since the link went down when the primary doesn't see it."""
    for key, value in primary.items():
        if key.startswith("slave") and isinstance(value, dict) and value.get("ip") == address:
            return float(value.get("lag", 0))
    down = replica.get("master_link_down_since_seconds", 0)
    return max(float(down), 0.0)
