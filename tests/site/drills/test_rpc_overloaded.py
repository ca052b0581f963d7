"""rpc-overloaded: one caller takes all of the nodes, and everybody else waits for it.

The nodes are stood for by a program that serves five calls at once, each in a tenth of a second,
so it serves fifty a second, whatever machine this runs on. Sixty connections of one caller wait
1.2 s each for it; who else asks waits as long. The caller has an address of its own.
"""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from drydock import images
from tests.platform.conftest import wait_for
from tests.site.site import play

from .drill import Platform, left_alone, rehearse

RUNBOOK = "rpc-overloaded"
ALARM = "rpc_cache-node-latency"
HERE = Path(__file__).parent
PORT = 8899


@dataclass(frozen=True)
class Rpc:
    """The cache, with a node of the drill's own behind it."""

    platform: Platform
    network: str
    prefix: str

    @property
    def url(self) -> str:
        return f"{self.platform.url}/rpc"

    @property
    def node(self) -> str:
        return f"{self.prefix}.250.10"

    @property
    def caller(self) -> str:
        return f"{self.prefix}.250.11"

    def served(self) -> int:
        """Calls that reached the node."""
        return int(requests.get(f"http://{self.node}:{PORT}/", timeout=10).text)

    def part(self, program: str, ip: str, *words: str) -> str:
        """Starts a program of this folder as a part with an address in the VPC."""
        return self.platform.cloud.podman.run(
            "test",
            program.replace("_", "-").removesuffix(".py"),
            images.PARTS,
            ["python3", "-u", "/program.py", *words],
            network=self.network,
            ip=ip,
            mounts=[(HERE / program, "/program.py", "ro")],
        )

    def settings(self) -> dict[str, str]:
        """Variables of the cache's running revision."""
        ecs = self.platform.cloud.client("ecs")
        definition = ecs.describe_task_definition(
            taskDefinition=self.platform.service("rpc_cache")["taskDefinition"]
        )["taskDefinition"]
        (container,) = definition["containerDefinitions"]
        return {one["name"]: one["value"] for one in container["environment"]}

    def deploy(self, *more: str) -> None:
        done = play("deploy", "--limit", "rpc_cache", *more)
        assert done.code == 0, done.story


@dataclass
class Neighbour:
    """Somebody else, who asks now and then for what is in no cache, and counts what it got."""

    url: str
    statuses: list[int] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        session, number = requests.Session(), 0
        while not self.gone.wait(0.3):
            number += 1
            call = {"jsonrpc": "2.0", "id": 1, "method": "getBalance", "params": [f"drill{number}"]}
            try:
                self.statuses.append(session.post(self.url, json=call, timeout=30).status_code)
            except requests.RequestException:
                self.statuses.append(0)


@pytest.fixture(scope="module")
def rpc(platform: Platform) -> Iterator[Rpc]:
    """In use by a neighbour, who is there before all others."""
    podman = platform.cloud.podman
    task = podman.part_name("task", platform.tasks("rpc_cache")[0]["id"])
    networks = json.loads(
        podman.command("inspect", "--format={{json .NetworkSettings.Networks}}", task).stdout
    )
    ((network, found),) = networks.items()
    one = Rpc(platform, network, ".".join(found["IPAddress"].split(".")[:2]))
    node = one.part("rpc_node.py", one.node, str(PORT), "5", "0.1")
    nodes = {"url": f"http://{one.node}:{PORT}", "websocket_url": f"ws://{one.node}:{PORT}"}
    one.deploy("-e", json.dumps({"rpc_nodes": nodes}))
    neighbour = Neighbour(one.url)
    thread = threading.Thread(target=neighbour.ask, daemon=True)
    thread.start()
    wait_for(lambda: neighbour.statuses.count(200) > 30, 90, "the neighbour is answered")
    yield one
    neighbour.gone.set()
    thread.join(timeout=60)
    podman.remove(node)
    one.deploy()
    # Whatever was done meanwhile, nobody else was ever refused.
    assert 429 not in neighbour.statuses


def test_the_cache_keeps_calls_from_the_nodes(rpc: Rpc) -> None:
    """What wallets and bots ask for all the time, by eight of them, for ten seconds."""
    calls = [("getSlot", []), ("getLatestBlockhash", []), ("getEpochInfo", [])]
    calls += [("getBalance", [f"wallet{n}"]) for n in range(5)]
    calls += [("getTransaction", [f"signature{n}", {"encoding": "json"}]) for n in range(5)]
    got: list[int] = []
    until = time.monotonic() + 10

    def ask() -> None:
        session = requests.Session()
        while time.monotonic() < until:
            for method, params in calls:
                call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                got.append(session.post(rpc.url, json=call, timeout=30).status_code)

    before = rpc.served()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reached = rpc.served() - before
    print(f"rpc_cache: {reached} of {len(got)} calls reached the node", flush=True)
    assert set(got) == {200}
    # The neighbour's calls among them; a slow machine asks less often for the same.
    assert reached < len(got) / 3


def test_one_caller_who_takes_all_is_limited(rpc: Rpc) -> None:
    crowd = []
    try:
        done = rehearse(
            rpc.platform,
            RUNBOOK,
            alarm=ALARM,
            inject=lambda: crowd.append(
                rpc.part("rpc_crowd.py", rpc.caller, rpc.url.split("/")[2], "/rpc", "60")
            ),
            says=("one caller takes", f"limit caller ip:{rpc.caller}"),
            shows=("+CALLER_LIMITS",),
            mending=50,
        )
        # The crowd is still there, and the nodes are asked for a part of what it wants.
        limits = json.loads(rpc.settings()["CALLER_LIMITS"])
        assert list(limits) == [f"ip:{rpc.caller}"]
        before, began = rpc.served(), time.monotonic()
        time.sleep(10)
        rate = (rpc.served() - before) / (time.monotonic() - began)
        print(f"{RUNBOOK}: the node is asked {rate:.1f} times a second", flush=True)
        assert rate < limits[f"ip:{rpc.caller}"] + 10
        assert len(done.record["runbook"]["actions"]) == 1
    finally:
        rpc.platform.cloud.podman.remove(*crowd)


def test_who_is_spared_is_not_limited(rpc: Rpc) -> None:
    """Then there is nothing to tighten but what everybody has; it is said before it is done."""
    crowd = rpc.part("rpc_crowd.py", f"{rpc.prefix}.250.12", rpc.url.split("/")[2], "/rpc", "60")
    try:
        wait_for(lambda: rpc.platform.alarm(ALARM) == "ALARM", 90, f"{ALARM} is red")
        mark = rpc.platform.mark()
        spared = f'{{"spared_callers": ["ip:{rpc.prefix}.250.12"]}}'
        run = play(f"runbooks/{RUNBOOK}", "-e", spared, "--check")
        assert run.code == 0, run.story
        assert "limit caller" not in run.output
        assert f"caller ip:{rpc.prefix}.250.12" in run.output
        left_alone(rpc.platform, mark)
    finally:
        rpc.platform.cloud.podman.remove(crowd)
