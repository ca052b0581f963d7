"""high-5xx: four faults that look alike from outside, told apart and mended or handed over."""

import json
import threading
from pathlib import Path

import pytest
import requests

from drydock.settings import PROJECT
from tests.platform.conftest import wait_for
from tests.site.site import commit, load, play

from .drill import Platform, Rehearsal, left_alone, rehearse

RUNBOOK = "high-5xx"
WORKLOAD = ("-e", "workload=trading_api")
API = "/api/trading"


@pytest.fixture(scope="module")
def order(platform: Platform) -> str:
    """An order's address: it is read from the database each time, never from a cache."""
    body = {"symbol": "SOL-USD", "side": "buy", "quantity": "1", "price": "150.25"}
    made = requests.post(
        f"{platform.url}{API}/orders",
        json=body,
        headers={"Idempotency-Key": "drills-of-high-5xx"},
        timeout=10,
    )
    assert made.status_code in (200, 201), made.text
    return f"{platform.url}{API}/orders/{made.json()['id']}"


def _definition(platform: Platform) -> str:
    return platform.service("trading_api")["taskDefinition"].rsplit("/", 1)[-1]


@pytest.mark.beside
def test_an_overload_is_scaled_out_for(platform: Platform, order: str) -> None:
    """The database is a little slower than usual, which nobody would notice but for the crowd.

    Each request holds one of a task's ten connections for a quarter of a second, so two tasks serve
    some eighty a second, and their processors, which autoscaling looks at, have little to do. A
    crowd that pauses between its requests tells both sizes well apart: 220 people who rest for
    1.5 s wait 220 / 80 - 1.5 = 1.3 s for two tasks, and for four no longer than the database
    takes. It comes first: more requests than before can be seen only after a quiet while.
    """
    platform.fault("slow", "database", "--delay", "250ms")
    crowd = Crowd(order, 220, pause=1.5)
    try:
        done = rehearse(
            platform,
            RUNBOOK,
            *WORKLOAD,
            alarm="trading_api-latency",
            inject=crowd.come,
            says=("overload", "run 4 tasks instead of 2"),
            mending=35,
        )
    finally:
        crowd.go()
        # What the drill has scaled out is held by autoscaling's floor until the next provision.
        name = platform.service_name("trading_api")
        platform.cloud.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs",
            ScalableDimension="ecs:service:DesiredCount",
            ResourceId=f"service/{platform.cluster}/{name}",
            MinCapacity=2,
        )
        platform.cloud.client("ecs").update_service(
            cluster=platform.cluster, service=name, desiredCount=2
        )
    _one_action(done, "4 tasks instead of 2")


def test_a_bad_release_is_rolled_back(platform: Platform, order: str, tmp_path: Path) -> None:
    """A mistake in the code: /health stays green, so the deploy ends well and ECS is content."""
    path = "apps/trading_api/trading_api/orders.py"
    head = "async def get_order(order_id: UUID, request: Request) -> Order:\n"
    code = (PROJECT / path).read_text()
    assert head in code
    bad = code.replace(head, f'{head}    raise RuntimeError("a mistake of a drill")\n')
    revision = commit({path: bad}, "a mistake", tmp_path)
    before = _definition(platform)

    def release() -> None:
        done = play("deploy", "--limit", "trading_api", "-e", f"deploy_revision={revision}")
        assert done.code == 0, done.story

    with load(order, threads=2, pause=0.05):
        done = rehearse(
            platform,
            RUNBOOK,
            *WORKLOAD,
            alarm="trading_api-5xx",
            inject=release,
            says=("bad_deploy", f"run {before} instead of"),
            # What the bad revision has of its own is in the difference of both.
            shows=(revision[:12],),
            mending=35,
        )
    assert _definition(platform) == before
    _one_action(done, "run " + before)


def test_a_task_that_fails_alone_is_replaced(platform: Platform, order: str) -> None:
    """Its health check passes, so neither the load balancer nor ECS takes it away."""
    before = {task["id"] for task in platform.tasks("trading_api")}
    with load(order, threads=4, pause=0.05):
        done = rehearse(
            platform,
            RUNBOOK,
            *WORKLOAD,
            alarm="trading_api-5xx",
            inject=lambda: platform.fault("errors", "trading_api", "--tasks", "1"),
            says=("sick_tasks", "stop task"),
            mending=35,
        )
    # One was replaced, not more.
    assert len(before & {task["id"] for task in platform.tasks("trading_api")}) == len(before) - 1
    _one_action(done, "stop task")


@pytest.mark.beside
def test_exhausted_connections_are_handed_over(platform: Platform, order: str) -> None:
    """Neither a roll back nor more tasks would help: they would want connections too."""
    platform.fault(
        "fill-connections", "database", "--share", "100%", "--state", "idle-in-transaction",
        "--reopen",
    )  # fmt: skip
    crowd = Crowd(order, 60)
    before = _definition(platform)
    try:
        crowd.come()
        wait_for(lambda: platform.alarm("trading_api-5xx") == "ALARM", 90, "5xx alarm is red")
        for more in (("--check",), ()):
            mark = platform.mark()
            run = play(f"runbooks/{RUNBOOK}", *WORKLOAD, *more)
            assert "dependency" in run.output, run.story
            assert "runbooks/db-connections-exhausted.yml" in run.output, run.story
            left_alone(platform, mark)
            assert (run.code == 0) == bool(more), run.story
    finally:
        crowd.go()
    assert _definition(platform) == before
    assert len(platform.tasks("trading_api")) == 2


def _one_action(done: Rehearsal, words: str) -> None:
    actions = done.record["runbook"]["actions"]
    assert len(actions) == 1, json.dumps(actions, indent=1)
    assert words in actions[0]["what"]


class Crowd:
    """People who all want the same at once, each waiting for the answer before asking again.

    Args:
        pause: seconds that each rests between an answer and the next request.
    """

    def __init__(self, url: str, people: int, pause: float = 0) -> None:
        self._url, self._people, self._pause = url, people, pause
        self._gone = threading.Event()
        self._threads: list[threading.Thread] = []

    def come(self) -> None:
        self._threads = [
            threading.Thread(target=self._ask, daemon=True) for _ in range(self._people)
        ]
        for thread in self._threads:
            thread.start()

    def go(self) -> None:
        self._gone.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _ask(self) -> None:
        session = requests.Session()
        while not self._gone.is_set():
            try:
                session.get(self._url, timeout=10)
            except requests.RequestException:
                self._gone.wait(0.5)
            self._gone.wait(self._pause)
