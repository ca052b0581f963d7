"""Faults without parts: what is typed, what is kept, what is found, what a bad release is."""

import argparse
import asyncio
import json
import socket

import pytest
from werkzeug.test import Client

from drydock.audit import Audit
from drydock.errors import DrydockError
from drydock.faults import command
from drydock.faults.database import used
from drydock.faults.release import worse
from drydock.faults.sidecars import relay
from drydock.faults.store import Hit, Store, read
from drydock.faults.targets import Targets, same_name, some
from drydock.gateway import Gateway
from drydock.podman import Part


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    return parser.parse_args(["fault", *words])


def part(kind: str, identifier: str, state: str = "running", pid: int = 7) -> Part:
    return Part(f"drydock-x-{kind}-{identifier}", kind, identifier, state, 0, pid)


# --- what is typed ---------------------------------------------------------------------


def test_amounts_are_read():
    assert parse("slow", "x", "--delay", "500ms").delay == 0.5
    assert parse("slow", "x", "--delay", "2s").delay == 2.0
    assert parse("slow", "x", "--cpu", "5%").cpu == 0.05
    assert parse("fill-disk", "database", "--leave", "1.5GiB").leave == 1.5 * 2**30
    assert parse("errors", "x", "--share", "50%", "--status", "503").share == 0.5
    assert parse("kill", "x", "--share", "50%").tasks == "50%"
    assert parse("kill", "x", "--all").tasks == "all"
    assert parse("deploy", "x", "--set", "A=b=c").set == [("A", "b=c")]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("slow", "x", "--delay", "500"), "500ms or 2s"),
        (("slow", "x"), "required"),
        (("errors", "x", "--share", "150%"), "give a share such as 50%, at most 100%"),
        (("errors", "x", "--status", "700"), "HTTP status"),
        (("kill", "x", "--tasks", "0"), "a number"),
        (("deploy", "x", "--set", "nothing"), "NAME=value"),
        (("fill-connections", "database", "--count", "1", "--share", "5%"), "not allowed with"),
        (("melt", "x"), "fill-connections"),
    ],
)
def test_what_can_not_be_read_is_refused_with_what_can(capsys, words, reason):
    with pytest.raises(SystemExit):
        parse(*words)
    assert reason in capsys.readouterr().err


def test_a_command_is_posted_as_json_and_refusals_are_told(tmp_path):
    def act(given: dict) -> dict:
        if given.get("bad"):
            raise DrydockError("That is bad: be good.")
        return {"did": given["what"]}

    gateway = Gateway(Audit(tmp_path / "audit"), {}, {"status": dict}, {"fault": act})
    client = Client(gateway)
    assert client.post("/_drydock/fault", json={"what": "x"}).json == {"did": "x"}
    refused = client.post("/_drydock/fault", json={"bad": 1})
    assert (refused.status_code, refused.json["error"]) == (400, "That is bad: be good.")
    # As a page in a browser could send it, without being asked by anyone.
    forged = client.post("/_drydock/fault", data='{"what": "x"}', content_type="text/plain")
    assert forged.status_code == 400 and "JSON" in forged.json["error"]
    assert client.get("/_drydock/fault").status_code == 404
    assert client.post("/_drydock/status", json={}).status_code == 404
    assert client.post("/_drydock/fault", json={}).status_code == 500


# --- what is kept ----------------------------------------------------------------------


def test_faults_outlive_the_process(tmp_path):
    store = Store(tmp_path / "faults.json")
    first = store.add(kind="kill", target="a", options={}, undo="nothing")
    first.hits.append(Hit("drydock-a", "task", "a", 12))
    store.add(kind="pause", target="b", options={"sticky": True}, undo="goes on")
    store.save()
    again = Store(tmp_path / "faults.json")
    assert [fault.id for fault in again.faults] == ["f1", "f2"]
    assert again.get("f1").hits == first.hits and again.get("f2").sticky
    assert again.add(kind="kill", target="c", options={}, undo="").id == "f3"
    assert [row["target"] for row in read(tmp_path / "faults.json")] == ["a", "b", "c"]
    with pytest.raises(DrydockError, match="there are: f1, f2, f3"):
        again.get("f9")


# --- what is found ---------------------------------------------------------------------


class Parts:
    def __init__(self, *parts: Part):
        self.all = list(parts)

    def parts(self, kind: str | None = None) -> list[Part]:
        return [p for p in self.all if kind in (None, p.kind)]


STATUS = {
    "services": [{"name": "drydock-local-trading-api"}, {"name": "drydock-local-hello"}],
    "tasks": [
        {"id": "aaaa1", "service": "drydock-local-trading-api"},
        {"id": "bbbb2", "service": "drydock-local-trading-api"},
    ],
    "databases": [],
    "caches": [],
}
PARTS = Parts(
    part("task", "bbbb2"), part("task", "aaaa1"), part("task", "cccc3"),
    part("database", "eu-1-db", "exited"), part("fault", "f1"), part("registry", "main"),
)  # fmt: skip


def find(word: str) -> list[str]:
    return [p.id for p in Targets(PARTS, lambda: STATUS).find(word).parts]


def test_a_workload_s_name_means_its_service_s_tasks():
    assert find("trading_api") == find("drydock-local-trading-api") == ["aaaa1", "bbbb2"]
    assert not same_name("drydock-local-trading-api", "api-2")
    assert same_name("drydock-local-trading-api", "trading_api")


def test_a_part_is_found_by_its_id_or_the_beginning_of_it():
    assert find("cccc3") == find("cccc") == ["cccc3"] and find("registry") == ["main"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("nothing", r"There are: services drydock-local-trading-api.*task \(bbbb2, aaaa1, cccc3\)"),
        ("local", "Nothing is called local"),
        ("eu-1-db", "does not run now"),
        ("f1", "Nothing is called f1"),
    ],
)
def test_a_wrong_target_names_what_there_is(word, reason):
    with pytest.raises(DrydockError, match=reason):
        find(word)


def test_some_of_the_parts():
    parts = [part("task", str(n)) for n in range(3)]
    assert [len(some(parts, much)) for much in ("1", "50%", "all", "1%")] == [1, 2, 3, 1]
    with pytest.raises(DrydockError, match="3 parts running, not 4"):
        some(parts, "4")


# --- a bad release ---------------------------------------------------------------------

DEFINITION = {
    "taskDefinitionArn": "arn", "revision": 3, "status": "ACTIVE", "family": "web", "cpu": "256",
    "containerDefinitions": [
        {
            "name": "web", "image": "good", "environment": [{"name": "A", "value": "1"}],
            "secrets": [{"name": "TOKEN", "valueFrom": "arn:t"}, {"name": "B", "valueFrom": "b"}],
        },
        {"name": "side", "image": "side"},
    ],
}  # fmt: skip


def test_a_release_is_made_worse_and_nothing_else_is_changed():
    before = json.dumps(DEFINITION)
    made = worse(
        DEFINITION, {"set": {"A": "2", "B": "plain"}, "drop_secret": ["TOKEN"], "image": "bad"}
    )
    web, side = made.pop("containerDefinitions")
    assert made == {"family": "web", "cpu": "256"}
    assert web["environment"] == [{"name": "A", "value": "2"}, {"name": "B", "value": "plain"}]
    assert web["secrets"] == [] and web["image"] == "bad"
    assert side == {"name": "side", "image": "side"}
    assert json.dumps(DEFINITION) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "Say what is bad"),
        ({"drop_secret": ["KEY"]}, "it has: TOKEN, B"),
        ({"container": "app", "image": "x"}, "there are: web, side"),
    ],
)
def test_a_release_that_is_no_worse_is_refused(options, reason):
    with pytest.raises(DrydockError, match=reason):
        worse(DEFINITION, options)


# --- the relay -------------------------------------------------------------------------


def test_a_request_is_asked_to_be_the_connection_s_last_unless_it_upgrades():
    head = b"GET / HTTP/1.1\r\nHost: x\r\nconnection: keep-alive\r\n\r\n"
    assert relay.closing(head) == b"GET / HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n"
    upgrade = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    assert relay.closing(upgrade) == upgrade


def test_bytes_are_delayed_in_order_and_side_by_side():
    async def run() -> tuple[bytes, float]:
        ours, theirs = socket.socketpair()
        source = asyncio.StreamReader()
        _, writer = await asyncio.open_connection(sock=ours)
        reader, _ = await asyncio.open_connection(sock=theirs)
        began = asyncio.get_running_loop().time()
        for chunk in (b"one ", b"two ", b"three"):
            source.feed_data(chunk)
        source.feed_eof()
        await relay.pump(source, writer, 0.2)
        return await reader.read(), asyncio.get_running_loop().time() - began

    content, seconds = asyncio.run(run())
    assert content == b"one two three" and 0.2 <= seconds < 0.55


def test_disk_use_is_counted_in_blocks(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"x" * 100_000)
    assert 100_000 <= used(tmp_path) < 200_000
