"""A workload whose clients are turned to each release, by one variable and under load, and back."""

import io
import json
import signal
import time
import uuid
import zipfile
from collections.abc import Iterator

import pytest
import requests

from tests.platform.conftest import wait_for

from .site import Site, commit, finish, load, play, start

PAGE = "apps/hello/site/index.html"
# No more than is needed to see it: on AWS a release bakes for longer.
TURNED = json.dumps({
    "delivery": "blue_green",
    "deliveries": {"blue_green": {"strategy": "blue_green", "bake_minutes": 1}},
})  # fmt: skip
BLUE_GREEN = ("--limit", "hello", "-e", TURNED)
ROLLING = ("--limit", "hello")


@pytest.fixture
def gate(site: Site) -> Iterator[str]:
    """A function that refuses every release of hello; its ARN."""
    functions, iam = site.cloud.client("lambda"), site.cloud.client("iam")
    name = "drydock-local-hello-gate"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "index.py", 'def handler(event, context):\n    return {"hookStatus": "FAILED"}\n'
        )
    yield functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="index.handler", Timeout=30,
        Role=iam.get_role(RoleName="drydock-local-hello-task")["Role"]["Arn"],
        Code={"ZipFile": packed.getvalue()},
    )["FunctionArn"]  # fmt: skip
    functions.delete_function(FunctionName=name)


@pytest.fixture(autouse=True, scope="module")
def rolling_again(site: Site) -> Iterator[None]:
    """However the tests end, those after them find the workload as before."""
    yield
    done = play("deploy", *ROLLING)
    assert done.code == 0, done.story
    strategy = site.service("hello")["deploymentConfiguration"]["strategy"]
    assert strategy == "ROLLING"


@pytest.fixture
def revision(tmp_path) -> tuple[str, str]:
    """A commit with another page, and what is on it."""
    mark = f"turned-{uuid.uuid4().hex[:8]}"
    page = f"<!doctype html><html><title>{mark}</title><body>{mark}</body></html>\n"
    return commit({PAGE: page}, "another page", tmp_path), mark


def _text(site: Site) -> str:
    return requests.get(f"{site.url}/", timeout=5).text


def _turn(site: Site) -> dict:
    """The newest service deployment of hello."""
    ecs = site.cloud.client("ecs")
    listed = ecs.list_service_deployments(cluster=site.cluster, service=site.service_name("hello"))[
        "serviceDeployments"
    ]
    arn = max(listed, key=lambda one: one["createdAt"])["serviceDeploymentArn"]
    return ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]


def test_a_delivery_that_nobody_has_described_is_refused(site):
    mark = site.mark()
    done = play("deploy", *ROLLING, "-e", "delivery=blue")
    assert done.code != 0
    said = " ".join(done.output.split())
    assert "delivery is blue, which deliveries does not describe: give one of rolling" in said
    assert site.changes_since(mark) == []


def test_a_release_turns_the_clients_and_none_meets_a_fault(site, revision):
    commit, mark = revision
    with load(f"{site.url}/") as traffic:
        begun = time.monotonic()
        done = play("deploy", *BLUE_GREEN, "-e", f"deploy_revision={commit}")
        print(f"turned in {time.monotonic() - begun:.0f} s, {traffic.total} requests")
        assert done.code == 0, done.story
        assert mark in _text(site)
        seen = traffic.total
        wait_for(lambda: traffic.total > seen + 200, 20, "load goes on over the new tasks")
    assert traffic.failures == []
    assert "BAKE_TIME, 100 % of the clients" in done.output
    assert _turn(site)["status"] == "SUCCESSFUL"
    # Nothing is left to do: the same again is no release.
    again = play("deploy", *BLUE_GREEN, "-e", f"deploy_revision={commit}")
    assert again.code == 0 and again.changed["hello"] == 0, again.story


def test_a_release_that_a_hook_refuses_is_never_served(site, gate, revision):
    commit, mark = revision
    served = _text(site)
    hooks = json.dumps({"delivery_hooks": [
        {"function": gate, "stages": ["POST_TEST_TRAFFIC_SHIFT"]}
    ]})  # fmt: skip
    with load(f"{site.url}/") as traffic:
        begun = time.monotonic()
        done = play("deploy", *BLUE_GREEN, "-e", hooks, "-e", f"deploy_revision={commit}")
        print(f"refused in {time.monotonic() - begun:.0f} s, {traffic.total} requests")
    assert done.code != 0
    said = " ".join(done.output.split())
    assert "was rolled back by ECS at POST_TEST_TRAFFIC_SHIFT" in said, done.story
    assert gate in said
    assert traffic.failures == []
    assert _text(site) == served and mark not in served
    wait_for(lambda: _turn(site)["status"] == "ROLLBACK_SUCCESSFUL", 60, "all is as before")


def test_what_still_bakes_is_taken_back_by_the_playbook(site, revision):
    commit, mark = revision
    served = _text(site)
    long = json.dumps({
        "delivery": "blue_green",
        "deliveries": {"blue_green": {"strategy": "blue_green", "bake_minutes": 600}},
    })  # fmt: skip
    with load(f"{site.url}/") as traffic:
        deploy = start("deploy", *ROLLING, "-e", long, "-e", f"deploy_revision={commit}")
        try:
            wait_for(
                lambda: (
                    _turn(site).get("lifecycleStage") == "BAKE_TIME"
                    and _turn(site)["status"] == "IN_PROGRESS"
                ),
                120,
                "the release bakes",
            )
            wait_for(lambda: mark in _text(site), 10, "clients are turned")
        finally:
            # Whoever is at the deploy ends it; it holds the environment's lock.
            deploy.send_signal(signal.SIGINT)
            finish(deploy)
        begun = time.monotonic()
        done = play("rollback", "--limit", "hello")
        print(f"taken back in {time.monotonic() - begun:.0f} s, {traffic.total} requests")
        assert done.code == 0, done.story
        assert _text(site) == served
    assert traffic.failures == []
    assert _turn(site)["status"] == "ROLLBACK_SUCCESSFUL"
