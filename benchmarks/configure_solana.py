"""How long the role solana_rpc takes on 1, 5 and 20 hosts, the first time and the second.

    python benchmarks/configure_solana.py [--hosts 1,5,20] [--peer FOLDER] [--suite trixie]

Hosts are those of the embedded cloud (systemd in podman, SSH, disks of their own), made anew for
every row; the release is the test node's, at hand on the host, and is not started. Each row has
forks, pipelining and all else of ansible.cfg; `mitogen` only where it is installed (`uv pip install
mitogen==0.3.54`; the project doesn't use it, since core deprecates other people's strategies).

Beside it, with the same kernel settings: the host tuning of rpcpool/solana-rpc-ansible, from a
working copy in the folder --peer (read at 3e926a1). Of its tasks/optimisations.yml only the
kernel's settings run: its main.yml uses `include`, which ansible-core 2.16 removed, and a service
and a governor that these hosts lack stand before. Ours, `--tags host`, does the packages, user,
limits, timers and log rotation besides.

Hosts, disks and the load are on one machine: compare figures of one run only. The seconds are the
wall's; those in brackets are the controller's own of CPU, which other work on the machine hardly
lengthens. Figures: benchmarks/README.md.
"""

import argparse
import importlib.util
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from drydock import lifecycle  # noqa: E402
from scripts import bare_hosts  # noqa: E402

VERSION = "4.1.2"
GENESIS = "3xBgt3ZGyPMTiuajvwn5SyCGycnjhhG5uj5yyy9x5sd5"
PEER_TASK = "ensure sysctl is set to sufficiently high value"


class Row(NamedTuple):
    """What is measured: a role, words for ansible-playbook, variables of its environment."""

    name: str
    role: Mapping[str, Any]
    words: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class Run(NamedTuple):
    """Seconds of the wall and of the controller's CPU, and how many tasks changed something."""

    wall: float
    cpu: float
    changed: int

    def __str__(self) -> str:
        return f"{self.wall:.0f} s ({self.cpu:.0f} s)"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def release(folder: Path) -> dict[str, str]:
    """Packs the test node below the folder; returns version, archive and sha256."""
    made = subprocess.run(
        [sys.executable, PROJECT / "scripts/test_node_release.py",
         "--version", VERSION, "--output", folder],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return json.loads(made.stdout)


def variables(made: Mapping[str, str]) -> dict[str, Any]:
    """The role's variables for every host."""
    return {
        "solana_rpc_version": VERSION,
        "solana_rpc_checksums": {VERSION: made["sha256"]},
        "solana_rpc_release_url": f"file:///srv/releases/v{VERSION}/{Path(made['archive']).name}",
        "solana_rpc_genesis_hash": GENESIS,
        "solana_rpc_entrypoints": ["127.0.0.1:8000"],
        "solana_rpc_known_validators": [],
        "solana_rpc_references": ["http://127.0.0.1:8899"],
        "solana_rpc_region": "us-east-1",
        "solana_rpc_started": False,
    }


def play(folder: Path, row: Row) -> Run:
    """Runs one role on all hosts. Ends the benchmark if it fails."""
    playbook = folder / "play.yml"
    tasks = [{"name": "Run the role", "ansible.builtin.import_role": dict(row.role)}]
    playbook.write_text(
        yaml.safe_dump([{"name": row.name, "hosts": "all", "gather_facts": False, "become": True,
                         "tasks": tasks}])
    )  # fmt: skip
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ["ansible-playbook", "-i", folder / "hosts.yml", "-e", f"@{folder / 'variables.json'}",
         playbook, *row.words],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            # Hosts are new in each row; mitogen doesn't read ssh's own options for that.
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            **row.environment,
        },
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{row.name} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, sum(map(int, re.findall(r"changed=(\d+)", done.stdout))))


def mitogen() -> dict[str, str] | None:
    """The variables that put Ansible on mitogen, or nothing where it is not installed."""
    found = importlib.util.find_spec("ansible_mitogen")
    if not found or not found.origin:
        _say("mitogen is not installed, so its rows are left out")
        return None
    plugins = Path(found.origin).parent / "plugins/strategy"
    return {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(plugins)}


def rows(peer: Path | None) -> Iterator[Row]:
    """What is measured."""
    ours = {"name": "solana_rpc"}
    yield Row("solana_rpc", ours)
    if faster := mitogen():
        yield Row("solana_rpc, mitogen", ours, (), faster)
    yield Row("solana_rpc, --tags host", ours, ("--tags", "host"))
    if peer:
        settings = yaml.safe_load((PROJECT / "roles/solana_rpc/vars/main.yml").read_text())
        given = {"cpu_governor": "bios", "sysctl_optimisations": settings["__solana_rpc_sysctl"]}
        words = ("--start-at-task", PEER_TASK, "--extra-vars", json.dumps(given))
        role = {"name": str(peer), "tasks_from": "optimisations"}
        yield Row("rpcpool, kernel settings only", role, words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--hosts", default="1,5,20", help="how many, by commas; default: %(default)s"
    )
    parser.add_argument("--peer", type=Path, help="working copy of rpcpool/solana-rpc-ansible")
    parser.add_argument("--suite", default="trixie", choices=["bookworm", "trixie"])
    given = parser.parse_args()
    peer = given.peer and given.peer.resolve()
    if peer and not (peer / "tasks/optimisations.yml").is_file():
        parser.error(f"{peer} is no working copy of rpcpool/solana-rpc-ansible")
    settings = bare_hosts.home("benchmark")
    folder = settings.folder("work")
    made = release(settings.folder("releases"))
    (folder / "variables.json").write_text(json.dumps(variables(made)))
    hosts = bare_hosts.Hosts(settings)
    with lifecycle.hold(settings):
        try:
            print("| role | hosts | first run (CPU) | second run (CPU) | changed by the second |")
            print("|---|---|---|---|---|")
            measured = list(rows(peer))
            for count in map(int, given.hosts.split(",")):
                for row in measured:
                    wanted = {f"node{number}": given.suite for number in range(count)}
                    hosts.up(folder / "hosts.yml", settings.folder("releases"), wanted)
                    first, second = play(folder, row), play(folder, row)
                    print(
                        f"| {row.name} | {count} | {first} | {second} | {second.changed} |",
                        flush=True,
                    )
        finally:
            hosts.down()


if __name__ == "__main__":
    main()
