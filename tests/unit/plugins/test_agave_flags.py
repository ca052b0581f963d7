"""The flag linter: what Agave would stop at is said before a host is touched."""

import shlex

import pytest
from ansible_collections.drydock.ops.plugins.module_utils import agave_flags
from ansible_collections.drydock.ops.plugins.module_utils.agave_flags import (
    ERROR,
    WARNING,
    FlagsRefused,
    arguments,
    lint,
    series_of,
)

OURS = {
    "identity": "/etc/solana/identity.json",
    "ledger": "/mnt/ledger",
    "accounts": ["/mnt/accounts"],
    "entrypoint": ["entrypoint.devnet.solana.com:8001", "entrypoint2.devnet.solana.com:8001"],
    "known-validator": ["dv1ZAGvdsz5hHLwWXsVnM94hWf1pjbKVau1QVkaMJ92"],
    "only-known-rpc": True,
    "no-voting": True,
    "full-rpc-api": True,
    "private-rpc": True,
    "rpc-port": 8799,
    "dynamic-port-range": "8001-8030",
    "limit-ledger-size": 200000000,
}


def _errors(line: list[str], version: str = "4.1.2", capabilities: tuple = ()) -> dict[str, str]:
    return {one.flag: one.text for one in lint(line, version, capabilities) if one.level == ERROR}


# Start scripts of public projects, as read in 2026-08: the flags that each gives, values of no
# meaning here left out or shortened. The first two were meant for an older Agave.
SLV = shlex.split("""--identity i.json
--log /home/solv/solana-validator.log --accounts /mnt/accounts
--ledger /mnt/ledger --snapshots /mnt/snapshot --entrypoint entrypoint.mainnet-beta.solana.com:8001
--known-validator Certusm1sa411sMpV9FPqU5dXAYhmmhygvxJ23S6hJ24
--expected-genesis-hash 5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d --expected-shred-version 50093
--only-known-rpc --full-rpc-api --no-voting --private-rpc --no-skip-initial-accounts-db-clean
--dynamic-port-range 8000-8020 --rpc-bind-address 0.0.0.0 --rpc-port 8899 --no-port-check
--account-index program-id spl-token-mint spl-token-owner --enable-rpc-transaction-history
--shred-receiver-address 10.0.0.1:1002 --no-wait-for-vote-to-start-leader
--wal-recovery-mode skip_any_corrupted_record --use-snapshot-archives-at-startup when-newest
--limit-ledger-size 200000000 --rpc-max-multiple-accounts 128 --rpc-pubsub-notification-threads 8
--rpc-pubsub-worker-threads 8 --rpc-send-leader-count 16 --rpc-send-retry-ms 16 --rpc-threads 32
--tpu-coalesce-ms 1 --enable-extended-tx-metadata-storage --tpu-connection-pool-size 32""")
RUNNERS = shlex.split("""--ledger /data/data/ledger --identity validator-keypair.json
--known-validator 7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2
--expected-genesis-hash 5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d
--entrypoint entrypoint.mainnet-beta.solana.com:8001 --no-voting --full-rpc-api --rpc-port 8899
--rpc-bind-address 10.0.0.1 --gossip-port 8001 --dynamic-port-range 8004-8029 --private-rpc
--wal-recovery-mode skip_any_corrupted_record --enable-rpc-transaction-history
--init-complete-file /data/data/init-completed --limit-ledger-size --accounts /accounts
--account-index spl-token-owner --account-index program-id --account-index spl-token-mint
--account-index-exclude-key kinXdEcpDQeHPEuQnqmUgtYykqKGVFq6CeVX5iAHJq6
--health-check-slot-distance 0 --log -""")
RPCPOOL = shlex.split("""--identity identity.json
--entrypoint entrypoint.mainnet-beta.solana.com:8001
--ledger /solana/ledger --accounts /solana/ledger/accounts --log - --gossip-port 8001
--rpc-port 8899 --rpc-bind-address 127.0.0.1 --dynamic-port-range 8002-8020
--wal-recovery-mode skip_any_corrupted_record --limit-ledger-size 1 --private-rpc
--no-snapshot-fetch --no-genesis-fetch --no-port-check --no-voting --full-rpc-api
--no-untrusted-rpc --halt-on-trusted-validators-accounts-hash-mismatch
--enable-cpi-and-log-storage --enable-rpc-transaction-history
--account-index program-id spl-token-owner spl-token-mint
--expected-genesis-hash 5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d
--rpc-pubsub-max-connections 1000 --known-validator
7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2""")


@pytest.mark.parametrize(
    ("template", "reasons"),
    [
        (
            SLV,
            {
                "tpu-coalesce-ms": "removed in Agave 4.0",
                "shred-receiver-address": "flag of Jito-Solana",
                "dynamic-port-range": "8000-8020 spans 20 ports, and Agave 4.1 needs 26",
            },
        ),
        (RUNNERS, {"dynamic-port-range": "8004-8029 spans 25 ports, and Agave 4.1 needs 26"}),
        (
            RPCPOOL,
            {
                "enable-cpi-and-log-storage": "removed in Agave 3.0: give "
                "--enable-extended-tx-metadata-storage",
                "halt-on-trusted-validators-accounts-hash-mismatch": "removed in Agave 2.0",
                "rpc-pubsub-max-connections": "removed in Agave 3.0",
                "dynamic-port-range": "8002-8020 spans 18 ports",
            },
        ),
    ],
    ids=["slv", "aws-blockchain-node-runners", "rpcpool"],
)
def test_templates_of_others_are_refused_with_the_reason(template, reasons):
    errors = _errors(template)
    assert set(errors) == set(reasons)
    for flag, words in reasons.items():
        assert words in errors[flag]


def test_the_template_for_3_1_was_right_for_3_1():
    assert _errors(RUNNERS, "3.1.14") == {}


@pytest.mark.parametrize("version", ["3.1.14", "4.0.3", "4.1.2"])
def test_ours_passes(version):
    assert lint(arguments(OURS), version) == []


@pytest.mark.parametrize(
    ("version", "last"), [("3.1.14", 8025), ("4.0.3", 8025), ("4.1.2", 8026), ("4.2.0", 8026)]
)
def test_the_narrowest_range_of_ports(version, last):
    """Agave refuses what is less than its least width, last less first."""
    enough, less = ({"dynamic-port-range": f"8000-{port}"} for port in (last, last - 1))
    assert _errors(arguments(enough), version, ("CAP_NET_ADMIN", "CAP_NET_RAW")) == {}
    assert list(_errors(arguments(less), version, ("CAP_NET_ADMIN", "CAP_NET_RAW"))) == [
        "dynamic-port-range"
    ]


def test_4_2_needs_capabilities_or_no_xdp():
    line = arguments(OURS)
    assert "CAP_NET_ADMIN CAP_NET_RAW" in _errors(line, "4.2.0")["no-xdp"]
    assert _errors(line, "4.2.0", ("CAP_NET_ADMIN", "CAP_NET_RAW")) == {}
    assert _errors([*line, "--no-xdp"], "4.2.0") == {}
    assert "comes with Agave 4.2" in _errors([*line, "--no-xdp"], "4.1.2")["no-xdp"]
    zero = _errors([*line, "--xdp-zero-copy"], "4.2.0", ("CAP_NET_ADMIN", "CAP_NET_RAW"))
    assert "CAP_BPF CAP_PERFMON" in zero["xdp-zero-copy"]


def test_private_addresses_and_xdp_exclude_each_other():
    line, both = arguments({**OURS, "allow-private-addr": True}), ("CAP_NET_ADMIN", "CAP_NET_RAW")
    assert "--no-xdp" in _errors(line, "4.2.0", both)["allow-private-addr"]
    assert _errors([*line, "--no-xdp"], "4.2.0") == {}


@pytest.mark.parametrize(
    ("more", "flag", "words"),
    [
        ({"limit-ledgersize": 1}, "limit-ledgersize", "did you mean --limit-ledger-size?"),
        ({"wal-recovery-mode": "skip"}, "wal-recovery-mode", "skip_any_corrupted_record"),
        ({"rpc-port": 88990}, "rpc-port", "88990, which is no port"),
        ({"dynamic-port-range": "8000"}, "dynamic-port-range", "first and a last port"),
        ({"no-voting": "yes"}, "no-voting", "takes no value, but yes follows"),
        ({"identity": True}, "identity", "needs a value"),
        ({"enable-extended-tx-metadata-storage": True},
         "enable-extended-tx-metadata-storage", "needs --enable-rpc-transaction-history"),
        ({"public-rpc-address": "1.2.3.4:1"}, "public-rpc-address", "exclude each other"),
        ({"rpc-port": [1, 2]}, "rpc-port", "more than once"),
    ],
)  # fmt: skip
def test_a_wrong_flag_is_named_with_its_cure(more, flag, words):
    assert words in _errors(arguments({**OURS, **more}))[flag]


def test_what_is_deprecated_is_a_warning_only():
    found = lint(arguments({**OURS, "enable-accounts-disk-index": True}), "4.1.2")
    assert [(one.level, one.flag) for one in found] == [(WARNING, "enable-accounts-disk-index")]
    assert "--accounts-index-limit" in str(found[0])


def test_what_the_next_series_removes_is_told_in_time():
    found = lint(arguments({**OURS, "tpu-coalesce-ms": 1}), "3.1.14")
    assert [(one.level, one.flag) for one in found] == [(WARNING, "tpu-coalesce-ms")]


@pytest.mark.parametrize("version", ["5.0.0", "4.1", "stable", "", "1.18.26"])
def test_a_version_that_is_not_known_is_no_guess(version):
    with pytest.raises(FlagsRefused, match="Agave"):
        lint(arguments(OURS), version)


def test_a_prerelease_is_of_its_series():
    assert series_of("v4.1.0-beta.2") == "4.1"


def test_values_of_other_types_are_refused():
    for value in ({"a": 1}, "", " "):
        with pytest.raises(FlagsRefused, match="rpc-port"):
            arguments({"rpc-port": value})


def test_false_leaves_a_flag_out():
    assert arguments({"no-voting": False, "full-rpc-api": True}) == ["--full-rpc-api"]


def test_short_names_are_read():
    assert _errors(["-i", "identity.json", "-l", "/mnt/ledger", "-o", "-"]) == {}


def test_the_data_is_whole():
    data = agave_flags.table()
    kinds = [name for kind in ("switches", "values", "optional_values", "lists")
             for name in data[kind]]  # fmt: skip
    assert len(kinds) == len(set(kinds))
    for part in ("since", "deprecated", "requires", "conflicts", "choices"):
        assert set(data[part]) <= set(kinds), part
    assert set(data["aliases"].values()) <= set(kinds)
    assert not set(data["removed"]) & set(kinds)
    assert not set(data["foreign"]) & set(kinds)
