"""The collection's releases that turn clients, on real containers: refused, and taken back."""

import itertools
from typing import Any

import pytest
from ansible.plugins.loader import init_plugin_loader

from drydock.images import DEBIAN
from drydock.settings import PROJECT

from .test_blue_green import CLUSTER, SERVICE, Web, clients, web  # noqa: F401 (a fixture)

init_plugin_loader([str(PROJECT / "collections")])
from ansible_collections.drydock.ops.plugins.module_utils.ecs import (  # noqa: E402
    DeploymentFailed,
    Service,
    observe,
)
from ansible_collections.drydock.ops.plugins.module_utils.turning_back import observe_stop  # noqa: E402
from ansible_collections.drydock.ops.plugins.modules import ecs_change, ecs_deployment  # noqa: E402

_versions = (f"release-{number}" for number in itertools.count(1))


class Journal:
    """What is to be undone, as the environment's table would keep it."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, what: str, calls: Any, *, keep: bool) -> None:
        assert calls is None and keep
        self.begun.append(what)


def _service(web: Web) -> Service:  # noqa: F811
    return Service(web.ecs, CLUSTER, SERVICE)


def _want(web: Web, version: str, **delivery: Any) -> dict[str, Any]:  # noqa: F811
    given = {
        "strategy": "blue_green", "bake_minutes": 1, "percent": 10.0, "step_minutes": 1,
        "alarms": [], "hooks": [], "target_groups": web.groups, "role": web.role,
        "client_rule": web.rules["clients"], "trial_rule": web.rules["trial"],
    }  # fmt: skip
    return {
        "container": "web", "image": DEBIAN, "environment": {"VERSION": version}, "secrets": {},
        "desired_count": 2, "template": web.register("$VERSION"), "delivery": {**given, **delivery},
    }  # fmt: skip


def _release(web: Web, want: dict[str, Any], until: str = "") -> list[str]:  # noqa: F811
    """Releases and waits for the end, or for a word in the progress; returns the progress."""
    service, said = _service(web), []
    seen = ecs_deployment.start(service, want, False, web.cloud.client("elbv2"))
    assert seen["changed"]
    while not seen["finished"]:
        seen = observe(service, seen["deployment"], 20)
        said.append(seen["progress"])
        if until and until in said[-1]:
            break
    return said


def test_a_release_is_turned_to_refused_and_taken_back(web):  # noqa: F811
    first, second, third = itertools.islice(_versions, 3)
    old = web.serves()
    with clients(web) as seen:
        said = _release(web, _want(web, first))
        assert any("BAKE_TIME, 100 % of the clients" in words for words in said), said
        assert web.serves() == first

        hook = {"function": web.gate, "stages": ["POST_TEST_TRAFFIC_SHIFT"]}
        web.answer("FAILED")
        with pytest.raises(DeploymentFailed) as failed:
            _release(web, _want(web, second, hooks=[hook]))
        assert "was rolled back by ECS at POST_TEST_TRAFFIC_SHIFT" in str(failed.value)
        assert web.gate in str(failed.value)
        assert "still serves with 2 tasks" in str(failed.value)
        assert web.ended()["status"] == "ROLLBACK_SUCCESSFUL"

        _release(web, _want(web, third, bake_minutes=600), until="BAKE_TIME")
        with pytest.raises(DeploymentFailed, match="still taking over"):
            _release(web, _want(web, "another", bake_minutes=600))
        service, journal = _service(web), Journal()
        now = service.describe()
        source = next(one for one in now["deployments"] if one["status"] == "ACTIVE")
        back = {"instead_of": now["taskDefinition"], "task_definition": source["taskDefinition"],
                "desired_count": None, "max_count": 4, "region": "us-east-1"}  # fmt: skip
        done = ecs_change.start(service, back, journal, web.cloud.client("application-autoscaling"))
        assert len(journal.begun) == 1
        while not done["finished"]:
            done = observe_stop(service, done["deployment"], 20)
        assert web.serves() == first
    assert set(seen) == {old, first, third}, seen
