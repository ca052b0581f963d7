"""The archive is Agave's in shape, its programs refuse what Agave's refuse."""

import hashlib
import json
import signal
import tarfile
from pathlib import Path

import pytest
from conftest import Node, build, wait

GENESIS = "3xBgt3ZGyPMTiuajvwn5SyCGycnjhhG5uj5yyy9x5sd5"


def test_the_archive_is_laid_out_as_agaves_and_says_what_it_is(archive, release):
    path = Path(archive["archive"])
    assert path.parts[-2:] == ("v4.1.2", "solana-release-x86_64-unknown-linux-gnu.tar.bz2")
    assert {"version.yml", "bin"} == {entry.name for entry in release.iterdir()}
    assert {"agave-validator", "solana", "solana-keygen"} < {
        entry.name for entry in (release / "bin").iterdir()
    }
    version = (release / "version.yml").read_text()
    assert "channel: v4.1.2" in version
    assert "not Agave" in version


def test_the_checksum_beside_the_archive_is_its_own(archive):
    path = Path(archive["archive"])
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    assert archive["sha256"] == checksum
    assert path.with_name(f"{path.name}.sha256").read_text() == f"{checksum}  {path.name}\n"


def test_the_same_version_is_the_same_bytes_and_another_version_is_not(archive, tmp_path):
    assert build(tmp_path)["sha256"] == archive["sha256"]
    assert build(tmp_path, version="4.1.3")["sha256"] != archive["sha256"]


def test_a_version_whose_flags_are_not_known_is_not_packed(tmp_path, capfd):
    with pytest.raises(Exception, match="returned non-zero"):
        build(tmp_path, version="9.9.9")
    assert "9.9.9" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def node(make) -> Node:
    return make()


def test_every_program_says_its_version(node):
    for program in ("agave-validator", "solana", "solana-keygen"):
        assert "4.1.2" in node.run(program, "--version")
    assert "DrydockTestNode" in node.run("agave-validator", "--version")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--enable-cpi-and-log-storage"], "--enable-cpi-and-log-storage"),  # removed in 3.0
        (["--tpu-coalesce-ms", "5"], "--tpu-coalesce-ms"),  # removed in 4.0
        (["--no-such-flag"], "--no-such-flag"),
        (["--dynamic-port-range", "8000-8013"], "8000-8026"),
        (["--known-validator", "somebody"], "somebody"),
        (["--only-known-rpc"], "--known-validator"),
        (["--entrypoint", "nowhere"], "nowhere"),
        (["--rpc-port", "99999"], "99999"),
        (["--rpc-port"], "--rpc-port"),
        (["--no-voting=yes"], "--no-voting"),
        (["--expected-genesis-hash", "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"], GENESIS),
    ],
)
def test_what_agave_refuses_is_refused(node, words, said):
    identity = node.folder / "identity.json"
    answer = node.run("agave-validator", "--identity", identity, *words, code=1)
    assert said in answer.replace("\n", " ")


def test_without_an_identity_it_does_not_start(node):
    assert "--identity" in node.run("agave-validator", "--no-voting", code=1)


def test_a_broken_identity_is_named_and_not_shown(node):
    path = node.folder / "broken.json"
    numbers = json.loads((node.folder / "identity.json").read_text())
    path.write_text(json.dumps([*numbers[:-1], (numbers[-1] + 1) % 256]))
    answer = node.run("agave-validator", "--identity", path, code=1)
    assert str(path) in answer
    assert str(numbers[0]) + "," not in answer


def test_removed_flags_of_exit_are_refused_and_a_node_that_is_not_there_is_named(node):
    for flag in ("--monitor", "--wait-for-exit"):
        words = ("--ledger", node.ledger, "exit", flag)
        assert flag in node.run("agave-validator", *words, code=1)
    assert "admin.rpc" in node.run("agave-validator", "--ledger", node.ledger, "exit", code=1)


def test_a_key_is_made_once(node):
    path = node.folder / "identity.json"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "--force" in node.run("solana-keygen", "new", "--outfile", path, code=1)
    assert path.read_bytes() == before
    assert len(node.run("solana-keygen", "pubkey", path).strip()) in (43, 44)


def test_a_port_that_is_taken_is_named(make, node):
    node.start().ready()
    other = make()
    other.base = node.base
    assert str(node.base) in other.run("agave-validator", *other.arguments(), code=1)


def test_its_log_can_be_rotated(node):
    node.start().ready()
    log = node.folder / "node.log"
    log.rename(log.with_suffix(".1"))
    node.signal(signal.SIGUSR1)
    wait(log.exists)
    node.fault("freeze")
    assert "frozen true" in node.log


def test_a_release_that_never_catches_up_falls_behind(make, archive, release, tmp_path):
    bad = build(tmp_path / "releases", "--never-catches-up", version="4.1.3")
    # Only its data differ, so that not all of it needs to be unpacked again.
    other = tmp_path / "bad"
    (other / "bin/deps/test-node").mkdir(parents=True)
    with tarfile.open(bad["archive"]) as packed:
        for member in packed:
            if member.name.endswith("/node"):
                break
            target = other / member.name.removeprefix("solana-release/")
            target.write_bytes(packed.extractfile(member).read())
            target.chmod(member.mode)
    for name in ("node", "surfpool.node"):
        (other / "bin/deps/test-node" / name).hardlink_to(release / "bin/deps/test-node" / name)
    good, slow = make(), make(other)
    good.start().ready()
    slow.start("--health-check-slot-distance", "4", entrypoints=(good.gossip,))
    # Its start may be near enough for a moment, as a real one's is: only then does it fall behind.
    wait(lambda: good.slot - slow.slot > 8 and slow.health == "behind")
    lag = good.slot - slow.slot
    wait(lambda: good.slot - slow.slot > lag + 4)
