"""What is read of the cache's metrics, its revision and the fleet, on AWS as moto plays it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.modules import rpc_diagnosis

REGION = "us-east-1"
PERIOD = 60


@pytest.fixture
def want(aws: Any) -> dict[str, Any]:
    ecs = aws("ecs")
    ecs.create_cluster(clusterName="c")
    revision = ecs.register_task_definition(
        family="rpc",
        containerDefinitions=[
            {"name": "rpc_cache", "image": "i", "memory": 512,
             "environment": [{"name": "CALLER_LIMITS", "value": '{"key:desk": 9}'},
                             {"name": "NODE_URL", "value": "http://elsewhere"}]}
        ],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    ecs.create_service(cluster="c", serviceName="rpc", taskDefinition=revision, desiredCount=1)
    return {"cluster": "c", "service": "rpc", "container": "rpc_cache", "workload": "rpc_cache",
            "fleet": "", "target_group_arn": "", "since": 0.0, "period": PERIOD,
            "region": REGION}  # fmt: skip


def put(aws: Any, at: float, metric: str, value: float, **dimensions: str) -> None:
    named = {"Service": "rpc_cache", **dimensions}
    aws("cloudwatch").put_metric_data(
        Namespace=rpc_diagnosis.NAMESPACE,
        MetricData=[
            {
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": text} for name, text in named.items()],
                "Timestamp": datetime.fromtimestamp(at, UTC),
                "Value": value,
            }
        ],
    )


def test_callers_and_methods_are_read_now_and_before(aws: Any, want: dict[str, Any]) -> None:
    now = time.time()
    began = now - 6 * PERIOD
    for n in range(1, 30):
        at = began - (n + 3) * PERIOD
        for dimension, name in (("Caller", "key:desk"), ("Method", "getBlock")):
            for metric in rpc_diagnosis.COUNTS:
                put(aws, at, metric, 120, **{dimension: name})
    for n in range(1, 4):
        for dimension, name in (("Caller", "key:desk"), ("Method", "getBlock")):
            for metric, value in (("NodeTime", 24_000), ("NodeCalls", 1200), ("Calls", 1200)):
                put(aws, now - n * PERIOD, metric, value, **{dimension: name})
    load, revision = rpc_diagnosis.observe({**want, "since": began}, now)
    assert revision == "rpc:1"
    assert load.settings == {"CALLER_LIMITS": '{"key:desk": 9}'}
    assert (load.wanted, load.healthy, load.most) == (0, 0, 0)
    (caller,), (method,) = load.callers, load.methods
    assert (caller.name, method.name, caller.before) == ("key:desk", "getBlock", 2)
    # Three periods of the four that are now.
    assert caller.node_calls == pytest.approx(15) and caller.node_ms == pytest.approx(300)


def test_without_any_figure_nothing_is_said_of_anybody(aws: Any, want: dict[str, Any]) -> None:
    load, _ = rpc_diagnosis.observe(want, time.time())
    assert (load.late, load.callers, load.methods) == (None, [], [])


def test_more_metrics_than_one_call_takes(
    aws: Any, want: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_diagnosis, "QUERIES", 4)
    now = time.time()
    for number in range(5):
        for metric in rpc_diagnosis.COUNTS:
            put(aws, now - PERIOD, metric, 60, Caller=f"ip:192.0.2.{number}")
    load, _ = rpc_diagnosis.observe(want, now)
    assert [one.name for one in load.callers] == [f"ip:192.0.2.{n}" for n in range(5)]
