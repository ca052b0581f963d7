"""The role solana_rpc refuses what can't be right before it touches a host: here there is none, and
a task that went to it would fail in another way."""

import json
import os
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
PLAYBOOK = """
- name: Check the inputs
  hosts: solana_rpc
  gather_facts: false
  tasks:
    - name: Check the inputs
      ansible.builtin.include_role: {name: solana_rpc, tasks_from: %s}
"""
RIGHT = {
    "solana_rpc_checksums": {"4.1.2": "a" * 64, "4.1.3": "b" * 64},
    "solana_rpc_cluster": "devnet",
}
DISK = {"mount": "/mnt/accounts", "device": "/dev/sdf"}


def _run(home: Path, given: dict, tasks: str = "inputs") -> tuple[int, str]:
    playbook = home / "play.yml"
    playbook.write_text(PLAYBOOK % tasks)
    inventory = home / "hosts.yml"
    host = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    inventory.write_text(
        json.dumps({"solana_rpc": {"hosts": {"node": host}, "vars": {"aws_region": "us-east-1"}}})
    )
    done = subprocess.run(
        [PROJECT / ".venv/bin/ansible-playbook", "-i", inventory,
         "-e", json.dumps({**RIGHT, **given}), playbook],
        cwd=PROJECT,
        env={**os.environ, "HOME": str(home), "ANSIBLE_FORCE_COLOR": "false",
             "ANSIBLE_ROLES_PATH": str(PROJECT / "roles"),
             "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "collections")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_what_is_right_passes(tmp_path):
    code, said = _run(tmp_path, {})
    assert code == 0, said


@pytest.mark.parametrize("version", ["3.1.14", "4.0.3", "4.1.2", "4.2.0"])
def test_our_own_flags_are_right_for_every_version_that_is_known(version, tmp_path):
    given = {"solana_rpc_version": version, "solana_rpc_checksums": {version: "a" * 64}}
    code, said = _run(tmp_path, given)
    assert code == 0, said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"solana_rpc_version": "4.1.9"}, "no SHA-256 for release 4.1.9 (known: 4.1.2, 4.1.3)"),
        ({"solana_rpc_checksums": {"4.1.2": "a" * 64, "4.1.3": "a" * 64}}, "have the same SHA-256"),
        ({"solana_rpc_checksums": {"4.1.2": "sha256:abc"}}, "no SHA-256 for release 4.1.2"),
        ({"solana_rpc_version": "9.1.0", "solana_rpc_checksums": {"9.1.0": "a" * 64}},
         "of a series whose flags are not known here"),
        ({"solana_rpc_flags": {"tpu-coalesce-ms": 1}}, "tpu-coalesce-ms was removed in Agave 4.0"),
        ({"solana_rpc_flags": {"dynamic-port-range": "8000-8020"}}, "spans 20 ports"),
        ({"solana_rpc_flags": {"xdp-cpu-cores": 1}}, "needs the capabilities CAP_NET_ADMIN"),
        ({"solana_rpc_references": []}, "a node's own word is not believed"),
        ({"solana_rpc_disks": {"accounts": DISK, "ledger": DISK}}, "are the same device (/dev/sdf"),
        ({"solana_rpc_disks": {"accounts": DISK, "data": DISK}}, "give accounts and ledger a disk"),
        ({"solana_rpc_entrypoints": []}, "could follow any cluster or none"),
        ({"solana_rpc_release_folder": "/nowhere"}, "There is no /nowhere/v4.1.2/solana-release"),
    ],
)  # fmt: skip
def test_a_wrong_input_is_named_and_no_host_is_touched(given, words, tmp_path):
    code, said = _run(tmp_path, given)
    assert code == 2, said
    assert words in said, said[-2000:]
    assert "Nothing was changed" in said
    assert "UNREACHABLE" not in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"solana_rpc_filesystem": "btrfs"}, "solana_rpc_filesystem"),
        ({"solana_rpc_capabilities": ["CAP_SYS_ADMIN"]}, "solana_rpc_capabilities"),
        ({"solana_rpc_log_days": "many"}, "solana_rpc_log_days"),
    ],
)
def test_a_wrong_type_is_refused_by_the_specification(given, words, tmp_path):
    code, said = _run(tmp_path, given, tasks="main")
    assert code == 2, said
    assert "Validation of arguments failed" in said, said[-2000:]
    assert words in said
