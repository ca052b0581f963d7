"""What a PostgreSQL server is told, made from what the API holds."""

import base64
import dataclasses
import hashlib
import hmac
import socket
import struct
import threading

import pytest

from drydock.controllers.database.configuration import (
    Place,
    Upstream,
    configuration,
    identifier,
    literal,
    max_connections,
    memory,
    set_up,
    vcpus,
    verifier,
)
from drydock.controllers.database.meter import used
from drydock.controllers.database.session import Refused, Session
from drydock.controllers.database.watch import Copy, read
from drydock.moto.rds import Database

DATABASE = Database(
    region="us-east-1", id="app", key="app-1a2b3c", status="creating",
    instance_class="db.t4g.micro", storage=20 * 2**30, port=5432,
    address=None, user="app", password="not shown", rotating=False, name="app",
    zone="us-east-1a", subnets=(("us-east-1a", "subnet-1"), ("us-east-1b", "subnet-2")),
    multi_az=False, failover=False, source=None, parameters=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("instance_class", "gib"),
    [("db.t4g.micro", 1), ("db.m7g.large", 8), ("db.r6g.large", 16), ("db.r6g.12xlarge", 384)],
)
def test_memory_follows_the_name_of_the_class(instance_class, gib):
    assert memory(instance_class) == gib * 2**30


def test_verifier_agrees_with_the_exchange_in_rfc_7677():
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    message = f"n=user,r={nonce[:20]},r={nonce},s={salt},i=4096,c=biws,r={nonce}".encode()
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")

    made = verifier("pencil", base64.b64decode(salt))
    head, keys = made.rsplit("$", 1)
    stored, server = (base64.b64decode(key) for key in keys.split(":"))

    assert head == f"SCRAM-SHA-256$4096:{salt}"
    signature = hmac.digest(stored, message, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored
    expected = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert base64.b64encode(hmac.digest(server, message, "sha256")).decode() == expected


def test_plain_connections_are_refused_unless_the_group_allows_them():
    assert "\nhostssl all" in configuration(DATABASE)["pg_hba.conf"]
    allowed = dataclasses.replace(DATABASE, parameters=(("rds.force_ssl", "0"),))
    assert "\nhost all all" in configuration(allowed)["pg_hba.conf"]


def test_parameters_are_applied_but_not_formulas():
    given = (("log_min_duration_statement", "500"), ("shared_buffers", "{DBInstanceClassMemory/4}"))
    text = configuration(dataclasses.replace(DATABASE, parameters=given))["postgresql.conf"]
    assert "log_min_duration_statement = '500'\n" in text
    assert "DBInstanceClassMemory" not in text
    assert "max_connections = 112\n" in text


def test_passwords_are_not_shown():
    assert "not shown" not in repr(DATABASE)
    assert not any("not shown" in text for text in configuration(DATABASE).values())


def test_names_are_quoted():
    assert identifier('a"b') == '"a""b"'
    assert literal("a'b") == "'a''b'"


def test_processors_follow_the_name_of_the_class():
    classes = ("db.t4g.micro", "db.m7g.large", "db.r6g.xlarge", "db.r6g.12xlarge")
    assert [vcpus(one) for one in classes] == [2, 2, 4, 48]


def test_max_connections_is_the_groups_or_follows_the_memory():
    assert max_connections(DATABASE) == 112
    given = dataclasses.replace(DATABASE, parameters=(("max_connections", "60"),))
    assert max_connections(given) == 60


# --- copies -------------------------------------------------------------------------------

UPSTREAM = Upstream("10.0.0.5", 5432, "rds_node_2")


def test_only_the_copies_addresses_may_replicate():
    alone = configuration(DATABASE)["pg_hba.conf"]
    assert "replication" not in alone
    rules = configuration(DATABASE, Place(copies=["10.0.0.6"]))["pg_hba.conf"].splitlines()
    assert "hostssl replication rdsrepladmin 10.0.0.6/32 scram-sha-256" in rules
    assert rules.index("host all rdsadmin,rdsrepladmin all reject") < len(rules) - 1


def test_a_primary_waits_for_the_copy_it_is_told_of_and_for_none_else():
    awaiting = configuration(DATABASE, Place(awaited="rds_node_2"))["postgresql.conf"]
    assert "synchronous_standby_names = '\"rds_node_2\"'\n" in awaiting
    assert "synchronous_standby_names" not in configuration(DATABASE)["postgresql.conf"]


def test_a_copy_follows_its_source_by_a_password_from_a_file():
    files = configuration(DATABASE, Place(upstream=UPSTREAM))
    assert "primary_slot_name = 'rds_node_2'" in files["postgresql.conf"]
    assert "passfile=/part/pgpass" in files["upstream"] and "password=" not in files["upstream"]
    assert "sslmode=verify-ca" in files["upstream"]
    assert configuration(DATABASE)["upstream"] == ""


def test_a_copy_has_no_less_room_than_its_source_runs_with():
    given = dataclasses.replace(DATABASE, parameters=(("max_connections", "60"),))
    limits = {"max_connections": 112, "max_worker_processes": 8}
    text = configuration(given, Place(upstream=UPSTREAM, limits=limits))["postgresql.conf"]
    assert text.index("max_connections = 112\n") > text.index("max_connections = '60'\n")
    assert "max_worker_processes = 8\n" in text


def test_set_up_holds_passwords_in_their_stored_form_only():
    text = "\n".join(f"{a}\n{b}" for a, b in set_up(DATABASE, "master's", "copies'"))
    assert text.count("SCRAM-SHA-256$4096:") == 2
    assert "master's" not in text and "copies'" not in text


# --- what a server says -------------------------------------------------------------------


def test_a_servers_answer_is_read():
    row = ("f", "7", "1024", "f", "0", "rds_node_2 sync 1000,rds_replica_ab async 900",
           "max_connections 60,max_wal_senders 10")  # fmt: skip
    seen = read(row, 5.0, 42)
    assert (seen.recovering, seen.sessions, seen.position, seen.pid) == (False, 7, 1024, 42)
    assert seen.copies == {"rds_node_2": Copy(True, 1000), "rds_replica_ab": Copy(False, 900)}
    assert seen.limits == {"max_connections": 60, "max_wal_senders": 10}
    assert read(("t", "0", "0", "t", "-0.5", None, None), 5.0, 1).lag == 0


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


_READY = _message(b"R", struct.pack("!I", 0)) + _message(b"Z", b"I")


@pytest.fixture
def server(tmp_path):
    """Accepts one client on a socket in a folder; what it answers is a list of bytes."""
    folder = tmp_path / ("long" * 20) / ("path" * 20)
    folder.mkdir(parents=True)
    answers: list[bytes] = []
    listening = socket.socket(socket.AF_UNIX)
    with pytest.MonkeyPatch.context() as patch:  # bind has the path's limit too
        patch.chdir(folder)
        listening.bind(".s.PGSQL.5432")
    listening.listen()

    def serve() -> None:
        client, _ = listening.accept()
        while answers:
            client.recv(4096)
            client.sendall(answers.pop(0))
        client.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    yield folder, answers
    listening.close()


def test_a_session_gives_rows_as_text(server):
    folder, answers = server
    row = struct.pack("!H", 2) + struct.pack("!i", 2) + b"42" + struct.pack("!i", -1)
    answers += [_READY, _message(b"D", row) + _message(b"C", b"SELECT 1\0") + _message(b"Z", b"I")]
    with Session(folder, 5432) as session:
        assert session.query("SELECT 42, NULL") == [("42", None)]
        assert session.pid > 0


def test_a_refusal_is_told_with_its_code(server):
    folder, answers = server
    answers += [_message(b"E", b"SFATAL\0C57P03\0Mthe database system is starting up\0\0")]
    with pytest.raises(Refused, match="starting up") as caught:
        Session(folder, 5432)
    assert caught.value.code == "57P03"


def test_a_server_that_hangs_is_not_waited_for(server):
    folder, answers = server
    answers += [_READY, _message(b"D", b"")[:3]]
    with Session(folder, 5432, timeout=0.2) as session, pytest.raises(TimeoutError):
        session.query("SELECT 1")


# --- storage ------------------------------------------------------------------------------


def test_storage_counts_files_by_size_holes_included(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_bytes(b"x" * 1000)
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(5_000_000)
    (tmp_path / "link").symlink_to("/usr")
    assert used(tmp_path) == 5_001_000
    assert used(tmp_path / "gone") == 0
