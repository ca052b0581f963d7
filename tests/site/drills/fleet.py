"""The platform's Solana nodes, as operators and as clients reach them."""

# ruff: noqa: S101 (what a fleet is not is said by an assert, as in a test)

import base64
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Self

import requests
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from drydock.settings import PROJECT
from tests.platform.conftest import Cloud, wait_for
from tests.site.site import Run, play

NODES = ("-i", "inventories/nodes/local")
SIZE = 3
FIRST, NEXT, NEVER = "4.1.2", "4.1.3", "4.1.9"  # the last one never catches up
GROUP = "drydock-local-solana"
_FAULT = "sudo /opt/solana/active_release/bin/test-node-fault --ledger /mnt/ledger"


@dataclass(frozen=True)
class Fleet:
    """The nodes.

    Attributes:
        nodes: instance id → private address.
        url: RPC behind the network load balancer.
    """

    cloud: Cloud
    nodes: dict[str, str]
    url: str

    @classmethod
    def up(cls, cloud: Cloud) -> Self:
        """Releases, hosts and nodes from nothing, as docs tell an operator."""
        for version in (FIRST, NEXT, NEVER):
            never = ["--never-catches-up"] if version == NEVER else []
            script = [sys.executable, "scripts/test_node_release.py", "--version", version, *never]
            subprocess.run(script, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
        done = play("provision", "--limit", "solana", "-e", f"solana_nodes={SIZE}")
        assert done.code == 0, done.story
        wait_for(lambda: len(_hosts(cloud)) == SIZE, 120, f"{SIZE} hosts run")
        done = play("configure-solana", *NODES)
        assert done.code == 0, done.story
        (balancer,) = [one for one in cloud.status()["load_balancers"] if one["name"] == GROUP]
        host = balancer["address"].partition(":")[0]
        fleet = cls(cloud, _hosts(cloud), f"http://{host}:8899")
        wait_for(lambda: fleet.pool() == set(fleet.nodes), 240, "every node is in the pool")
        return fleet

    def run(self, node: str, command: str) -> str:
        """What a command prints on a node, over SSH."""
        done = self.cloud.ssh(self.nodes[node], command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def fault(self, node: str, *words: str) -> None:
        """Has a node lie, lag or be well again (bin/test-node-fault)."""
        self.run(node, f"{_FAULT} {' '.join(words)}")

    def pool(self) -> set[str]:
        """Nodes that the load balancer sends calls to."""
        elb = self.cloud.client("elbv2")
        (group,) = elb.describe_target_groups(Names=[f"{GROUP}-rpc"])["TargetGroups"]
        found = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        return {
            one["Target"]["Id"]
            for one in found["TargetHealthDescriptions"]
            if one["TargetHealth"]["State"] == "healthy"
        }

    def releases(self) -> dict[str, str]:
        """Node → the version that answers its RPC."""
        return {
            node: ask(f"http://{address}:8899", "getVersion")["solana-core"].split()[0]
            for node, address in self.nodes.items()
        }

    def started(self) -> dict[str, str]:
        """Node → when its process was started."""
        show = "systemctl show --property=ExecMainStartTimestampMonotonic solana-validator.service"
        return {node: self.run(node, show) for node in self.nodes}

    def configure(self, *words: str) -> Run:
        return play("configure-solana", *NODES, *words)

    def upgrade(self, *words: str) -> Run:
        return play("upgrade-solana", *NODES, *words)


def _hosts(cloud: Cloud) -> dict[str, str]:
    return {
        row["id"]: row["address"]
        for row in cloud.status()["hosts"]
        if row["group"] == GROUP and row["runs"]
    }


def body(method: str, *params: Any) -> dict[str, Any]:
    """A JSON-RPC call."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}


def ask(url: str, method: str, *params: Any) -> Any:
    """The result of an RPC call; fails where there is none."""
    answer = requests.post(url, json=body(method, *params), timeout=30)
    said = answer.json()
    assert answer.status_code == 200 and "result" in said, json.dumps(said)
    return said["result"]


def pay(url: str) -> tuple[str, str, int]:
    """Send a transfer through an RPC; returns its signature, who got how many lamports."""
    payer, to, lamports = Keypair(), Keypair().pubkey(), 1_000_000
    ask(url, "requestAirdrop", str(payer.pubkey()), 1_000_000_000)

    def balance() -> int:
        return ask(url, "getBalance", str(payer.pubkey()), {"commitment": "confirmed"})["value"]

    wait_for(balance, 20, "the payer is funded")
    time.sleep(1)  # reaches the other nodes, of which any may get the transfer
    recent = Hash.from_string(ask(url, "getLatestBlockhash")["value"]["blockhash"])
    parts = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports)
    signed = Transaction([payer], Message([transfer(parts)], payer.pubkey()), recent)
    encoded = base64.b64encode(bytes(signed)).decode()
    return ask(url, "sendTransaction", encoded, {"encoding": "base64"}), str(to), lamports
