"""What a PostgreSQL server is told, made from what the API holds."""

import base64
import dataclasses
import hashlib
import hmac

import pytest

from drydock.controllers.database import configuration, identifier, literal, memory, verifier
from drydock.moto.rds import Database

DATABASE = Database(
    region="us-east-1", id="app", key="app-1a2b3c", status="creating",
    instance_class="db.t4g.micro", port=5432,
    address=None, user="app", password="not shown", rotating=False, name="app",
    subnet_id="subnet-1", parameters=(),
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
