"""Solana's RPC is served: by the cache itself, and through it by the fleet where that has nodes."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

RPC = "/rpc"
NODES_AWAY = (503, -32005)


def test_the_cache_is_ready(web: requests.Session, url: str) -> None:
    answer = web.get(f"{url}{RPC}/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready"), answer.text


def test_nodes_answer_through_the_cache(
    web: requests.Session, url: str, aws: Callable[[str], Any], outputs: dict[str, Any]
) -> None:
    answer = web.post(f"{url}{RPC}", json={"jsonrpc": "2.0", "id": 1, "method": "getSlot"})
    body = answer.json()
    if answer.status_code == 200:
        assert body.get("result", 0) > 0, answer.text
        return
    # Whatever the nodes do, the cache has to say it as a node would.
    assert (answer.status_code, body["error"]["code"]) == NODES_AWAY, answer.text
    fleet = outputs["solana"]["fleet_name"]
    (group,) = aws("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[fleet])[
        "AutoScalingGroups"
    ]
    nodes = [one["InstanceId"] for one in group["Instances"]]
    if not nodes:
        pytest.skip("rpc_cache is up, without nodes: the fleet is empty")
    reported = aws("cloudwatch").list_metrics(
        Namespace=outputs["solana"]["metric_namespace"],
        Dimensions=[{"Name": "AutoScalingGroupName", "Value": fleet}],
    )["Metrics"]
    if not reported:
        pytest.skip(
            f"rpc_cache is up, without nodes: {len(nodes)} wait for playbooks/configure-solana.yml"
        )
    pytest.fail(
        f"none of {', '.join(nodes)} answers ({body['error']['message']}): "
        "see runbooks/solana-node-lagging.yml"
    )
