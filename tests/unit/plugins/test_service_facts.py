"""Figures from series and log lines; changes and replacements that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.drydock.ops.plugins.module_utils.ecs import DeploymentFailed
from ansible_collections.drydock.ops.plugins.module_utils.figures import (
    began,
    change,
    read_lines,
    share,
)
from ansible_collections.drydock.ops.plugins.module_utils.observation import Change
from ansible_collections.drydock.ops.plugins.module_utils.service_facts import own_health
from ansible_collections.drydock.ops.plugins.modules import ecs_change, ecs_replace_tasks

P = 60
AT = 100 * P


def series(**values: dict[int, float]) -> dict[str, dict[float, float]]:
    """Name → {number of a period: value} in seconds; requests are a hundred throughout."""
    found = {name: {n * P: v for n, v in one.items()} for name, one in values.items()}
    return {"requests": {n * P: 100 for n in range(40, 100)}, **found}


@pytest.mark.parametrize(
    ("found", "start"),
    [
        (series(), None),
        (series(errors={97: 10, 98: 10, 99: 10}), 97),
        (series(errors={97: 10, 98: 1, 99: 1}), 97),  # over within moments, but not yet for sure
        (series(errors={90: 10, 99: 10}), 99),  # what was before is another story
        (series(errors={95: 10, 96: 10, 99: 10}), 95),  # a short break is not
        (series(errors={80: 10, 81: 10}), None),  # over
        (series(errors={99: 1}), None),  # one in a hundred
        (series(requests={}, balancer={98: 5, 99: 5}), 98),  # nobody gets through
        (series(latency={98: 1.5, 99: 1.5}), 98),
        (series(cpu={98: 95, 99: 95}), 98),
        # Late for a moment, then errors of a release: it began with the errors.
        (series(latency={94: 1.5, 95: 0.1}, errors={96: 60, 97: 60, 98: 60, 99: 60}), 96),
        # An overload that has come to errors is still one.
        (series(latency=dict.fromkeys(range(90, 100), 1.5), errors={98: 10, 99: 10}), 90),
        (series(errors={94: 11, 96: 60, 97: 60, 98: 60, 99: 60}), 96),  # a few are another story
        (series(errors={94: 20, 96: 60, 97: 60, 98: 60, 99: 60}), 94),
        ({}, None),
    ],
)
def test_since_when_it_is_wrong(found: dict[str, Any], start: int | None) -> None:
    assert began(found, P, AT) == (None if start is None else start * P)


def test_a_figure_now_and_before() -> None:
    values = {n * P: 600.0 for n in range(60, 95)} | {n * P: 1800.0 for n in range(95, 100)}
    assert change(values, P, AT, 95 * P, per=P) == Change(30, 10)
    assert change(values, P, AT, None, per=P).now == 30
    assert change({}, P, AT, None) == Change(None, None)
    assert change({10 * P: 5.0}, P, AT, None) == Change(None, 5)  # no data now is no figure


def test_a_share_counts_what_the_load_balancer_answered_itself() -> None:
    found = {"requests": {0: 90.0}, "errors": {0: 9.0}, "balancer": {0: 10.0}}
    assert share(found, 0, P) == 19
    assert share(found, P, 2 * P) is None


def line(**fields: Any) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("lines", "figures", "causes"),
    [
        ([line(event="request", status=200)] * 3, (3, 0), {}),
        ([line(event="request", status=503, error="database_busy")], (1, 1), {"database_busy": 1}),
        ([line(event="request", status=500)], (1, 1), {"http_500": 1}),
        (
            [
                line(event="request", status=503, error="database_unavailable"),
                line(event="database_unavailable", level="warning", reason="TimeoutError"),
            ],
            (1, 1),
            {"database_unavailable": 1},
        ),
        (
            [line(event="database_unavailable", level="warning",
                  reason="TooManyConnectionsError: sorry, too many clients already")],
            (0, 0),
            {"database_unavailable: TooManyConnectionsError": 1},
        ),
        (["2026 [error] connect() failed"], (0, 0), {"2026 [error] connect() failed": 1}),
        (["GET / 200", "", "[1, 2]", "null"], (0, 0), {}),
    ],
)  # fmt: skip
def test_what_a_log_says(lines: list[str], figures: tuple[int, int], causes: dict) -> None:
    requests, failed, found = read_lines(lines)
    assert ((requests, failed), dict(found)) == (figures, causes)


class Service:
    """A service that only answers."""

    name, cluster = "api", "c"

    def __init__(self) -> None:
        self.ecs = None

    def describe(self) -> dict[str, Any]:
        return {"taskDefinition": "arn:x/api:3", "desiredCount": 4, "deployments": []}

    def definition(self, name: str) -> dict[str, Any]:
        return {
            "taskDefinitionArn": f"arn:x/{name.rpartition('/')[2]}",
            "containerDefinitions": [{"name": "api", "image": "i"}],
        }

    def tasks(self, status: str) -> list[dict[str, Any]]:
        return [{"taskArn": f"arn:x/{name}"} for name in "abcd"]


WANT = {"instead_of": "api:3", "task_definition": "", "desired_count": None, "max_count": 6}


@pytest.mark.parametrize(
    ("want", "said"),
    [
        ({"instead_of": "api:2", "task_definition": "api:1"}, "no longer api:2"),
        ({"desired_count": 7}, "max_count=6"),
        ({"desired_count": 3}, "only scales out"),
    ],
)
def test_a_change_that_no_longer_fits_is_refused(want: dict[str, Any], said: str) -> None:
    with pytest.raises(DeploymentFailed, match=said):
        ecs_change.start(Service(), {**WANT, **want}, None, None)


def test_what_runs_already_is_no_change() -> None:
    change = ecs_change.start(Service(), {**WANT, "task_definition": "api:3"}, None, None)
    assert not change["changed"]


def test_a_rehearsal_shows_the_difference() -> None:
    found = ecs_change.start(Service(), {**WANT, "desired_count": 6}, None, None)
    counts = [found["diff"][side]["desired_count"] for side in ("before", "after")]
    assert (found["changed"], counts) == (True, [4, 6])


@pytest.mark.parametrize(
    ("share_", "tasks", "good"),
    [(0.5, "ab", True), (0.5, "abc", False), (0.1, "a", True), (0.1, "ab", False)],
)
def test_no_more_than_a_share_of_the_tasks_is_replaced(
    share_: float, tasks: str, good: bool
) -> None:
    replacement = ecs_replace_tasks.Replacement(Service(), None, [])
    want = {"tasks": [*tasks, "gone"], "max_share": share_, "why": "", "wait_timeout": 1}
    if good:
        assert ecs_replace_tasks.run(replacement, want, None)["stopped"] == [*tasks]
    else:
        with pytest.raises(DeploymentFailed, match="more than may be replaced"):
            ecs_replace_tasks.run(replacement, want, None)


class Checked(Service):
    """A service without clients whose container checks itself."""

    def definition(self, name: str) -> dict[str, Any]:
        found = super().definition(name)
        found["containerDefinitions"][0]["healthCheck"] = {"command": ["CMD", "true"]}
        return found

    def tasks(self, _status: str) -> list[dict[str, Any]]:
        states = [("RUNNING", "HEALTHY"), ("RUNNING", "UNKNOWN"), ("PENDING", "UNKNOWN")]
        return [
            {"lastStatus": last, "healthStatus": health, "taskDefinitionArn": "arn:x/api:3"}
            for last, health in states
        ]


def test_without_clients_a_task_s_own_check_says_whether_it_is_well() -> None:
    assert ecs_replace_tasks.Replacement(Checked(), None, []).healthy() == 1
    # Whoever has no check is well as long as it runs.
    unchecked = Checked()
    unchecked.definition = Service().definition
    assert ecs_replace_tasks.Replacement(unchecked, None, []).healthy() == 2
    found = [own_health({"healthStatus": one}) for one in ("HEALTHY", "UNHEALTHY", "UNKNOWN")]
    assert found == ["", "unhealthy", ""]
