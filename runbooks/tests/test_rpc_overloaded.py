"""The nodes answer in time again, through the cache, and the cache itself serves whole."""

import time

from ecs_checks import (  # noqa: F401 (pytest finds checks and fixtures by their names)
    service,
    test_all_wanted_tasks_run,
    test_every_target_is_healthy,
    test_no_alarm_of_the_runbook_is_red,
    test_one_deployment_serves_alone,
    test_users_are_answered,
    url,
    workload,
)

SECONDS = 0.5


def test_the_nodes_answer_in_time(web, url):  # noqa: F811
    """Calls that are in no cache; most of them, since one may meet a pause of any cause."""
    rpc = url.removesuffix("ready")
    took = []
    for _ in range(9):
        begin = time.monotonic()
        answer = web.post(rpc, json={"jsonrpc": "2.0", "id": 1, "method": "getHealth"})
        took.append(time.monotonic() - begin)
        assert answer.status_code == 200, answer.text
        assert answer.json().get("result") == "ok", answer.text
    assert sorted(took)[len(took) // 2] < SECONDS
