"""A configured node, looked at from the outside and as systemd sees it."""

import json
import time

import pytest

FILES = (
    ("/etc/solana/identity.json", "solana", 0o400),
    ("/etc/solana/health.json", "root", 0o640),
    ("/opt/solana/active_release/start", "root", 0o755),
    ("/mnt/accounts", "solana", 0o750),
    ("/mnt/ledger", "solana", 0o750),
)


def _rpc(host, method: str) -> dict:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method})
    asked = host.run(
        f"curl --silent --max-time 5 --header 'Content-Type: application/json' --data '{body}' "
        "http://127.0.0.1:8899"
    )
    return json.loads(asked.stdout or "{}")


@pytest.mark.parametrize(("path", "owner", "mode"), FILES)
def test_files_belong_to_whom_they_should(host, path, owner, mode):
    file = host.file(path)
    assert (file.user, file.mode) == (owner, mode)


def test_an_identity_is_a_key_pair(host):
    text = host.file("/etc/solana/identity.json").content_string
    assert len(json.loads(text)) == 64


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net.core.rmem_max", 134217728),
        ("net.core.wmem_default", 134217728),
        ("vm.max_map_count", 1000000),
        ("fs.nr_open", 1024000),
    ],
)
def test_the_kernel_is_set(host, name, value):
    assert host.sysctl(name) == value


@pytest.mark.parametrize("mount", ["/mnt/accounts", "/mnt/ledger"])
def test_each_has_a_disk_of_its_own(host, mount):
    point = host.mount_point(mount)
    assert point.exists
    assert "noatime" in point.options
    assert host.file("/etc/fstab").contains(mount)
    assert host.mount_point("/mnt/accounts").device != host.mount_point("/mnt/ledger").device


def test_the_unit_is_right_and_says_what_agave_wants(host):
    unit = "/etc/systemd/system/solana-validator.service"
    assert host.run(f"systemd-analyze verify {unit}").stderr == ""
    shown = host.run(
        "systemctl show solana-validator.service "
        "--property=LimitNOFILE,LimitMEMLOCK,StartLimitIntervalUSec,Restart,User"
    ).stdout.splitlines()
    assert set(shown) == {
        "LimitNOFILE=1000000", "LimitMEMLOCK=2000000000", "StartLimitIntervalUSec=0",
        "Restart=always", "User=solana",
    }  # fmt: skip


def test_the_start_script_becomes_the_node(host):
    pid = host.run("systemctl show --property=MainPID --value solana-validator.service").stdout
    shell = host.run(f"readlink /proc/{pid.strip()}/exe").stdout.strip()
    assert shell.startswith("/opt/solana/releases/4.1.2/")


def test_the_node_serves_behind_its_front(host):
    end = time.monotonic() + 90
    while (
        host.run("curl --silent --fail http://127.0.0.1:8898/health").rc and time.monotonic() < end
    ):
        time.sleep(2)
    health = host.run("curl --silent http://127.0.0.1:8898/health")
    assert json.loads(health.stdout)["healthy"] is True, health.stdout
    first = _rpc(host, "getSlot")["result"]
    time.sleep(2)
    assert _rpc(host, "getSlot")["result"] > first
    assert host.run("systemctl is-active solana-validator.service").stdout.strip() == "active"


def test_only_the_front_is_reached_from_outside(host):
    listening = host.run("ss --no-header --listening --tcp --numeric").stdout
    assert "127.0.0.1:8799" in listening
    assert "0.0.0.0:8799" not in listening
    rules = host.run("nft list table inet solana_rpc").stdout
    assert "policy drop" in rules
    assert "8899" in rules


@pytest.mark.parametrize(
    ("unit", "state"),
    [("apt-daily.timer", "disabled"), ("apt-daily-upgrade.timer", "disabled"),
     ("swap.target", "masked")],
)  # fmt: skip
def test_nothing_upgrades_or_swaps_by_itself(host, unit, state):
    assert host.run(f"systemctl is-enabled {unit}").stdout.strip() == state
    assert host.run(f"systemctl is-failed {unit}").stdout.strip() != "failed"


@pytest.mark.parametrize(
    "unit", ["chrony", "haproxy", "nftables", "solana-health", "solana-validator"]
)
def test_it_all_comes_back_with_the_host(host, unit):
    assert host.service(unit).is_enabled


def test_the_log_is_rotated(host):
    done = host.run("logrotate --force --verbose /etc/logrotate.d/solana-rpc")
    assert done.rc == 0, done.stderr
    assert host.file("/var/log/solana/validator.log").exists


def test_no_restart_is_due_after_a_first_run(host):
    assert not host.file("/run/solana-rpc/restart-due").exists


def test_without_a_reference_in_reach_the_gate_stays_shut_and_says_why(host):
    """Of the node that serves; it goes on, for only the question is another."""
    shown = "systemctl show --property=MainPID,NRestarts solana-validator.service"
    before = host.run(shown).stdout
    config = json.loads(host.file("/etc/solana/health.json").content_string)
    config["references"] = ["http://127.0.0.1:9"]
    host.run("printf '%%s' %s > /run/no-reference.json", json.dumps(config))
    gate = host.run("solana_health wait --timeout 2 --config /run/no-reference.json")
    host.run("rm /run/no-reference.json")
    assert gate.rc == 1
    assert "there is nothing to hold it against: 127.0.0.1:9" in gate.stdout + gate.stderr
    assert host.run(shown).stdout == before
    assert host.run("solana_health check").rc == 0
