"""Test nodes as the release archive has them, each a process with folders and ports of its own."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

PROJECT = Path(__file__).resolve().parents[3]
VERSION = "4.1.2"


def build(output: Path, *options: str, version: str = VERSION) -> dict[str, str]:
    """Runs the release script; returns version, archive and sha256."""
    script = PROJECT / "scripts/test_node_release.py"
    done = subprocess.run(
        [sys.executable, script, "--version", version, "--output", output, *options],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def wait(what: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true value of `what`; a connection that fails counts as none yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if found := what():
                return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def free_ports() -> int:
    """The first of 40 ports in a row, of which those that a node uses are free."""
    for base in range(21000, 29000, 40):
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in (base, base + 1, base + 2):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            if base not in _given:
                _given.add(base)
                return base
    raise AssertionError("no free ports from 21000 to 29000")


_given: set[int] = set()


@dataclass
class Node:
    """One node: `base` is its gossip port, `base` + 1 its RPC, the next its WebSocket."""

    release: Path
    folder: Path
    base: int = field(default_factory=free_ports)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.run("solana-keygen", "new", "--silent", "--outfile", self.folder / "identity.json")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.base + 1}"

    @property
    def gossip(self) -> str:
        return f"127.0.0.1:{self.base}"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def log(self) -> str:
        return (self.folder / "node.log").read_text()

    def run(self, program: str, *words: Any, code: int = 0) -> str:
        """Runs a program of the release; returns what it says."""
        done = subprocess.run(
            [self.release / "bin" / program, *map(str, words)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def arguments(self, *more: str, entrypoints: tuple[str, ...] = ()) -> list[str]:
        return [
            "--identity", f"{self.folder}/identity.json", "--ledger", f"{self.ledger}",
            "--accounts", f"{self.folder}/accounts", "--log", f"{self.folder}/node.log",
            "--rpc-bind-address", "127.0.0.1", "--rpc-port", f"{self.base + 1}", "--private-rpc",
            "--gossip-port", f"{self.base}", "--no-voting", "--full-rpc-api",
            "--dynamic-port-range", f"{self.base + 3}-{self.base + 33}",
            *(word for address in entrypoints for word in ("--entrypoint", address)), *more,
        ]  # fmt: skip

    def start(self, *more: str, entrypoints: tuple[str, ...] = ()) -> "Node":
        program = self.release / "bin/agave-validator"
        self.process = subprocess.Popen([program, *self.arguments(*more, entrypoints=entrypoints)])
        return self

    def ready(self) -> "Node":
        wait(lambda: self.health == "ok")
        return self

    def fault(self, *words: str) -> None:
        self.run("test-node-fault", "--ledger", self.ledger, *words)

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def end(self) -> None:
        """Ends it as a crash does."""
        if self.process:
            self.process.kill()
            self.process.wait()

    @property
    def health(self) -> str:
        answer = httpx.get(f"{self.url}/health")
        assert answer.status_code == 200
        return answer.text

    def ask(self, method: str, *params: Any) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
        return httpx.post(self.url, json=body, timeout=60).json()

    @property
    def slot(self) -> int:
        return self.ask("getSlot", {"commitment": "processed"})["result"]

    def balance(self, address: str) -> int:
        return self.ask("getBalance", address, {"commitment": "confirmed"})["result"]["value"]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return build(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def release(archive: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The archive unpacked as the role does it."""
    folder = tmp_path_factory.mktemp("release")
    subprocess.run(["tar", "-xjf", archive["archive"], "-C", folder], check=True)
    yield folder / "solana-release"
    shutil.rmtree(folder)


@pytest.fixture
def make(release: Path, tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Makes nodes that are gone after the test."""
    nodes: list[Node] = []

    def one(other: Path = release) -> Node:
        nodes.append(Node(other, tmp_path / f"node{len(nodes)}"))
        return nodes[-1]

    yield one
    for node in nodes:
        node.end()


@pytest.fixture(scope="session")
def pair(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    """Two nodes of one cluster, started together; each knows of both."""
    folder = tmp_path_factory.mktemp("pair")
    nodes = Node(release, folder / "one"), Node(release, folder / "two")
    for node in nodes:
        node.start(
            "--health-check-slot-distance", "5",
            entrypoints=(nodes[0].gossip, nodes[1].gossip),
        )  # fmt: skip
    for node in nodes:
        node.ready()
    yield nodes
    for node in nodes:
        node.end()
