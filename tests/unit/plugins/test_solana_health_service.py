"""The service on the node: what the load balancer, Prometheus and CloudWatch are told."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import solana_health as health
from fake_solana_node import GENESIS, FakeNode

FILES = Path(__file__).resolve().parents[3] / "roles/solana_rpc/files"


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def nodes() -> Iterator[tuple[FakeNode, FakeNode]]:
    with FakeNode() as own, FakeNode() as peer:
        yield own, peer


@pytest.fixture
def written(nodes: tuple[FakeNode, FakeNode], tmp_path: Path) -> Path:
    """health.json; ports are free ones."""
    path = tmp_path / "health.json"
    path.write_text(
        json.dumps(
            {
                "rpc_url": nodes[0].url, "references": [nodes[1].url], "genesis_hash": GENESIS,
                "interval": 0.2, "advance_seconds": 0.4, "timeout": 1, "listen": "127.0.0.1",
                "port": _free(), "log_port": _free(),
                "maintenance_file": str(tmp_path / "run/maintenance"),
            }
        )
    )  # fmt: skip
    return path


@pytest.fixture
def service(written: Path) -> Iterator[subprocess.Popen]:
    """The program as its unit starts it, by the system's Python."""
    process = _start(written, "serve")
    _until(lambda: _health(written)[0] == 200, 10, "healthy")
    yield process
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def _start(written: Path, *arguments: str, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, FILES / "solana_health_service.py", *arguments, "--config", written],
        env={**os.environ, "PYTHONPATH": str(FILES), **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _get(written: Path, path: str) -> tuple[int, str]:
    port = json.loads(written.read_text())["port"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def _health(written: Path) -> tuple[int, str]:
    return _get(written, "/health")


def _until(true: object, seconds: float, what: str) -> float:
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, f"not {what} after {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - begun


@pytest.mark.usefixtures("service")
def test_a_frozen_node_gets_503_within_seconds(
    written: Path, nodes: tuple[FakeNode, FakeNode]
) -> None:
    nodes[0].freeze()
    _until(lambda: _health(written)[0] == 503, 3, "unhealthy")
    seen = json.loads(_health(written)[1])
    assert "stands_still" in seen["reasons"]
    nodes[0].frozen_at = None
    _until(lambda: _health(written)[0] == 200, 5, "healthy again")


@pytest.mark.usefixtures("service")
def test_a_mark_takes_it_out_and_its_end_puts_it_back(written: Path) -> None:
    path = json.loads(written.read_text())["maintenance_file"]
    health.mark(path, "me", "an upgrade", 1, planned=True)
    _until(lambda: _health(written)[0] == 503, 3, "out")
    assert "an upgrade" in _health(written)[1]
    assert "solana_node_in_maintenance 1" in _get(written, "/metrics")[1]
    Path(path).unlink()
    _until(lambda: _health(written)[0] == 200, 3, "back")


@pytest.mark.usefixtures("service")
def test_metrics_have_the_known_names_and_leave_out_what_is_unknown(
    written: Path, nodes: tuple[FakeNode, FakeNode]
) -> None:
    port = json.loads(written.read_text())["log_port"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
        for line in (b"rpc 200 12", b"rpc 200 15", b"rpc 503 1", b"websocket 101 90000", b"junk"):
            front.sendto(line, ("127.0.0.1", port))
    _until(lambda: 'status="503"' in _get(written, "/metrics")[1], 3, "counted")
    lines = _get(written, "/metrics")[1].splitlines()
    assert "solana_node_is_healthy 1" in lines
    assert 'solana_node_version{version="4.1.2"} 1' in lines
    assert 'solana_rpc_requests_total{frontend="rpc",status="200"} 2' in lines
    assert any(line.startswith("solana_node_num_slots_behind ") for line in lines)
    nodes[1].silent = True
    _until(lambda: "solana_node_is_healthy 0" in _get(written, "/metrics")[1], 6, "unhealthy")
    assert "solana_node_num_slots_behind" not in _get(written, "/metrics")[1]
    assert _get(written, "/other")[0] == 404


def test_the_gate_opens_when_the_node_could_serve(
    written: Path, nodes: tuple[FakeNode, FakeNode]
) -> None:
    nodes[0].start -= 500
    health.mark(json.loads(written.read_text())["maintenance_file"], "me", "x", 1, planned=True)
    gate = _start(written, "wait", "--timeout", "20")
    time.sleep(1.5)
    assert gate.poll() is None, "it opened for a node that is behind"
    nodes[0].start += 500
    said, _ = gate.communicate(timeout=10)
    assert gate.returncode == 0 and "ready at slot" in said and "behind" in said


def test_the_gate_stays_shut_for_one_that_never_comes(
    written: Path, nodes: tuple[FakeNode, FakeNode]
) -> None:
    nodes[0].freeze()
    gate = _start(written, "wait", "--timeout", "2")
    said, _ = gate.communicate(timeout=15)
    assert gate.returncode == 1 and "stands still" in said


def test_the_gate_ends_with_the_nodes_process(
    written: Path, nodes: tuple[FakeNode, FakeNode]
) -> None:
    """Else systemd would wait for the gate instead of starting the dead node anew."""
    nodes[0].freeze()
    node = subprocess.Popen(["sleep", "60"])
    gate = _start(written, "wait", MAINPID=str(node.pid))
    time.sleep(1)
    assert gate.poll() is None
    node.kill()
    node.wait()
    said, _ = gate.communicate(timeout=15)
    assert gate.returncode == 1 and "has ended" in said


def test_check_tells_by_its_exit(written: Path, nodes: tuple[FakeNode, FakeNode]) -> None:
    healthy = _start(written, "check")
    assert json.loads(healthy.communicate(timeout=10)[0])["healthy"] and healthy.returncode == 0
    nodes[0].body = b"behind"
    unhealthy = _start(written, "check")
    assert not json.loads(unhealthy.communicate(timeout=10)[0])["healthy"]
    assert unhealthy.returncode == 1
    written.write_text("{}")
    wrong = _start(written, "check")
    assert "configure-solana" in wrong.communicate(timeout=10)[0] and wrong.returncode == 2


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "solana_health", health)
    spec = importlib.util.spec_from_file_location("service", FILES / "solana_health_service.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def _seen(**changed: object) -> dict:
    return {"healthy": True, "slots_behind": 3, "slot": 100, "maintenance": None, "reasons": {},
            **changed}  # fmt: skip


def test_an_answer_that_has_grown_old_is_no_answer(module: ModuleType, written: Path) -> None:
    """Where looking hangs, the last good look must not be shown for ever."""
    service = module.Service(health.Config.load(str(written)))
    service._report, service._at = _seen(), time.monotonic()
    assert service.report["healthy"]
    service._at -= 100
    assert not service.report["healthy"] and "stale" in service.report["reasons"]


def test_cloudwatch_is_told_what_is_known(module: ModuleType, written: Path) -> None:
    service = module.Service(health.Config.load(str(written)))

    def told(**changed: object) -> dict:
        service._report, service._at = _seen(**changed), time.monotonic()
        return service.figures()

    for milliseconds in range(1, 101):
        service.front.note(f"rpc 200 {milliseconds}")
    service.front.note("rpc -1 500")
    first = told()
    assert first["NodeHealthy"] == 1 and first["SlotsBehind"] == 3 and first["SlotHeight"] == 100
    assert first["RpcErrors"] == 1 and first["RpcLatencyP95"] == 96
    assert first["RpcRequestsPerSecond"] > 0
    quiet = told(healthy=False, slots_behind=None)
    assert quiet["NodeHealthy"] == 0 and "SlotsBehind" not in quiet
    assert "RpcLatencyP95" not in quiet, "no request, no latency"
    planned = told(healthy=False, maintenance={"planned": True})
    assert "NodeHealthy" not in planned and planned["NodeInMaintenance"] == 1
    assert told(healthy=False, maintenance={"planned": False})["NodeHealthy"] == 0
