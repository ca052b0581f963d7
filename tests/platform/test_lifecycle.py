"""Start, stop, and what a cloud that died leaves behind: on a second cloud, beside the first."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from drydock import images, lifecycle
from drydock.podman import Podman
from drydock.settings import PROJECT, Settings

from .conftest import Cloud, free_range, wait_for


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def other(cloud: Cloud, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a second cloud; whatever a test leaves of it is removed."""
    # The same authority: another one would make the shared images anew.
    shutil.copytree(cloud.settings.home / "ca", tmp_path / "ca")
    settings = Settings(home=tmp_path, port=_free_port(), registry_port=_free_port())
    yield settings
    lifecycle.down(settings, print)


def _drydock(settings: Settings, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "drydock", *words],
        cwd=PROJECT,
        env={
            **os.environ,
            "DRYDOCK_HOME": str(settings.home),
            "DRYDOCK_PORT": str(settings.port),
            "DRYDOCK_REGISTRY_PORT": str(settings.registry_port),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def _start_with_a_part(settings: Settings) -> Podman:
    started = _drydock(settings, "up")
    assert started.returncode == 0, started.stderr
    client = boto3.client(
        "ec2",
        endpoint_url=settings.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    cidr = free_range()
    vpc = client.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    podman = Podman(settings)
    network = f"drydock-{settings.tag}-{vpc}"
    podman.create_network(network, cidr)
    podman.run(
        "task",
        "x",
        images.PARTS,
        ["sleep", "600"],
        network=network,
        ip=cidr.replace(".0.0/16", ".0.10"),
    )
    return podman


def _left(settings: Settings) -> dict[str, list]:
    """Everything of this cloud that is still on the machine."""
    podman = Podman(settings)
    home = str(settings.home)
    processes = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if home in (entry / "cmdline").read_text() or home in (entry / "environ").read_text():
                processes.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return {
        "containers": [part.name for part in podman.parts()],
        "networks": [net["name"] for net in podman.networks()],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if home in line],
        "processes": processes,
    }


NOTHING = {"containers": [], "networks": [], "mounts": [], "processes": []}


def _gateway_pid(settings: Settings) -> int:
    return json.loads((settings.home / "cloud.json").read_text())["pid"]


def test_down_leaves_nothing(other):
    _start_with_a_part(other)
    # The finder must be able to find: before, all of it is there.
    before = _left(other)
    assert before["containers"] and before["networks"] and before["processes"]
    assert _drydock(other, "down").returncode == 0
    assert _left(other) == NOTHING
    again = _drydock(other, "status")
    assert again.returncode == 1
    assert "python -m drydock up" in again.stderr


def test_down_after_the_gateway_was_killed(other):
    _start_with_a_part(other)
    os.kill(_gateway_pid(other), signal.SIGKILL)
    wait_for(lambda: not lifecycle.alive(other.home), 10, "the gateway is gone")
    assert _drydock(other, "down").returncode == 0
    assert _left(other) == NOTHING


def test_up_cleans_what_a_machine_that_lost_power_left(other):
    """All processes are gone at once, and podman's books still say that they run."""
    podman = _start_with_a_part(other)
    (part,) = podman.parts("task")
    monitor = int(podman.command("inspect", "--format={{.State.ConmonPid}}", part.name).stdout)
    for pid in (_gateway_pid(other), monitor, part.pid):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not lifecycle.alive(other.home), 10, "the gateway is gone")
    assert [found.name for found in podman.parts("task")] == [part.name]

    started = _drydock(other, "up")
    assert started.returncode == 0, started.stderr
    assert re.search(r"removing \d+ containers and 1 networks", started.stdout)
    assert podman.parts("task") == []
    assert podman.networks() == []
    assert _drydock(other, "down").returncode == 0
    assert _left(other) == NOTHING


def test_down_takes_a_bridge_that_podman_has_forgotten(other):
    """Whatever starts while its network is removed leaves the bridge, and no network."""
    podman = _start_with_a_part(other)
    (network,) = podman.networks()
    (subnet,) = [one["subnet"] for one in network["subnets"]]
    bridge = Path("/sys/class/net") / network["network_interface"]
    (part,) = podman.parts("task")
    os.kill(_gateway_pid(other), signal.SIGKILL)
    assert subnet in _rules()
    forgotten = Path("/etc/containers/networks") / f"{network['name']}.json"
    forgotten.unlink()
    podman.remove(part.name)
    wait_for(lambda: not any((bridge / "brif").iterdir()), 10, "the part is gone")
    assert podman.networks() == []
    assert subnet in _rules()

    down = _drydock(other, "down")
    assert "removed 1 bridges" in down.stdout, down.stderr
    assert not bridge.exists()
    assert subnet not in _rules()
    assert _left(other) == NOTHING


def _rules() -> str:
    """The machine's packet filter, of all tables."""
    return subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout


def test_the_cloud_of_a_deleted_folder_is_cleaned_by_another(other, cloud):
    _start_with_a_part(other)
    os.kill(_gateway_pid(other), signal.SIGKILL)
    wait_for(lambda: not lifecycle.alive(other.home), 10, "the gateway is gone")
    (other.home / "gateway.lock").unlink()
    said: list[str] = []
    lifecycle.sweep(Settings(other.home / "elsewhere", 1024, 1025), said.append)
    assert _left(other)["containers"] == []
    assert str(other.home) in said[0]
    # The living cloud beside it was left alone.
    assert cloud.status()["ready"]


def test_up_twice_says_so_and_starts_nothing(other):
    assert _drydock(other, "up").returncode == 0
    pid = _gateway_pid(other)
    again = _drydock(other, "up")
    assert again.returncode == 0
    assert "already running" in again.stdout
    assert _gateway_pid(other) == pid


def test_a_taken_port_is_named_with_its_holder(other):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", other.port))
        holder.listen()
        refused = _drydock(other, "up")
    assert refused.returncode == 1
    assert f"Port {other.port} on 127.0.0.1 is taken" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert "DRYDOCK_PORT" in refused.stderr
    assert _left(other) == NOTHING


def test_a_port_that_is_no_port_is_refused(cloud):
    refused = subprocess.run(
        [sys.executable, "-m", "drydock", "status"],
        cwd=PROJECT,
        env={**os.environ, "DRYDOCK_PORT": "http"},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert "DRYDOCK_PORT=http is not a port" in refused.stderr
