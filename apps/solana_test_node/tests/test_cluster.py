"""Nodes are one cluster to their clients, and fail as Agave's nodes fail."""

import base64
import json
import os
import shutil
import signal
import time

import httpx
import pytest
from conftest import Node, wait
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction
from websockets.sync.client import connect

SOL = 1_000_000_000


def funded(node: Node) -> Keypair:
    """A new account with one SOL."""
    payer = Keypair()
    node.ask("requestAirdrop", str(payer.pubkey()), SOL)
    return payer


def latest(node: Node) -> Hash:
    return Hash.from_string(node.ask("getLatestBlockhash")["result"]["value"]["blockhash"])


def encoded(transaction: Transaction) -> tuple[str, dict[str, str]]:
    """A transaction as sendTransaction takes it."""
    return base64.b64encode(bytes(transaction)).decode(), {"encoding": "base64"}


def payment(payer: Keypair, to: Pubkey, lamports: int, blockhash: Hash) -> Transaction:
    params = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports)
    return Transaction([payer], Message([transfer(params)], payer.pubkey()), blockhash)


def test_all_nodes_are_at_one_slot_of_one_chain(pair):
    one, two = pair
    assert one.ask("getGenesisHash")["result"] == two.ask("getGenesisHash")["result"]
    assert one.ask("getIdentity")["result"] != two.ask("getIdentity")["result"]
    before = one.slot
    wait(lambda: abs(one.slot - two.slot) <= 1 and one.slot > before)
    told = {node["pubkey"] for node in one.ask("getClusterNodes")["result"]}
    assert told == {node.ask("getIdentity")["result"]["identity"] for node in pair}


def test_a_transaction_with_one_nodes_blockhash_sent_to_another_is_on_both(pair):
    one, two = pair
    payer, to = funded(one), Keypair().pubkey()
    wait(lambda: two.balance(str(payer.pubkey())) == SOL)
    blockhash = latest(one)
    assert two.ask("isBlockhashValid", str(blockhash))["result"]["value"] is True
    sent = payment(payer, to, 5_000_000, blockhash)
    signature = two.ask("sendTransaction", *encoded(sent))["result"]
    assert signature == str(sent.signatures[0])
    options = {"commitment": "confirmed", "encoding": "base64"}
    for node in pair:
        wait(lambda node=node: node.balance(str(to)) == 5_000_000)
        # A moment after what it did.
        status = wait(
            lambda node=node: node.ask("getSignatureStatuses", [signature])["result"]["value"][0]
        )
        assert status["err"] is None
        found = wait(lambda node=node: node.ask("getTransaction", signature, options)["result"])
        # This very transaction, with the blockhash that the payer signed.
        assert base64.b64decode(found["transaction"][0]) == bytes(sent)
    assert one.balance(str(payer.pubkey())) == two.balance(str(payer.pubkey()))


def test_what_is_sent_twice_is_executed_once(pair):
    one, two = pair
    payer, to = funded(one), Keypair().pubkey()
    wait(lambda: two.balance(str(payer.pubkey())) == SOL)
    sent = payment(payer, to, 3_000_000, latest(one))
    for node in pair:
        node.ask("sendTransaction", *encoded(sent))
    for node in pair:
        wait(lambda node=node: node.balance(str(to)) == 3_000_000)
    slot = one.slot
    wait(lambda: min(one.slot, two.slot) > slot + 4)
    assert [node.balance(str(to)) for node in pair] == [3_000_000, 3_000_000]


def test_a_forged_signature_and_a_strange_blockhash_are_refused(pair):
    one, _ = pair
    payer, to = funded(one), Keypair().pubkey()
    sent = payment(payer, to, 3_000_000, latest(one))
    forged = Transaction.populate(sent.message, [Signature.new_unique()])
    answer = one.ask("sendTransaction", *encoded(forged))
    assert "signature" in answer["error"]["message"].lower()
    strange = payment(payer, to, 3_000_000, Hash.new_unique())
    answer = one.ask("sendTransaction", *encoded(strange))
    assert "Blockhash not found" in answer["error"]["message"]
    assert one.balance(str(to)) == 0


def test_subscriptions_follow_the_cluster(pair):
    one, two = pair
    payer = Keypair()
    with connect(f"ws://127.0.0.1:{two.base + 2}") as socket:
        socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}))
        params = [str(payer.pubkey()), {"commitment": "confirmed", "encoding": "base64"}]
        socket.send(
            json.dumps({"jsonrpc": "2.0", "id": 2, "method": "accountSubscribe", "params": params})
        )
        for _ in range(2):
            assert "result" in json.loads(socket.recv(5))
        one.ask("requestAirdrop", str(payer.pubkey()), SOL)
        slots, account = [], None
        while account is None or len(slots) < 3:
            told = json.loads(socket.recv(10))
            value = told["params"]["result"]
            if told["method"] == "slotNotification":
                slots.append(value["slot"])
            else:
                account = value["value"]["lamports"]
    assert account == SOL
    assert slots == list(range(slots[0], slots[0] + len(slots)))
    assert abs(slots[-1] - one.slot) < 20


def test_it_answers_http_as_agave_does(pair):
    one, _ = pair
    assert httpx.get(one.url).status_code == 405
    assert httpx.post(one.url, content=b"{").json()["error"]["code"] == -32700
    assert httpx.post(one.url, content=b" " * 60_000).status_code == 413
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "getHealth"},
        {"jsonrpc": "2.0", "id": 2, "method": "nothing"},
        # A validator has no cheats.
        {"jsonrpc": "2.0", "id": 3, "method": "surfnet_pauseClock"},
    ]  # fmt: skip
    answers = httpx.post(one.url, json=batch).json()
    assert answers[0] == {"jsonrpc": "2.0", "id": 1, "result": "ok"}
    assert [answer["error"]["code"] for answer in answers[1:]] == [-32601, -32601]


def test_a_frozen_node_says_ok_and_stands_still(pair):
    one, two = pair
    two.fault("freeze")
    slot, other = two.slot, one.slot
    wait(lambda: one.slot > other + 20)
    assert two.slot == slot
    assert two.ask("getHealth")["result"] == two.health == "ok"
    two.fault("heal")
    wait(lambda: abs(one.slot - two.slot) <= 1)


def test_a_slow_node_says_by_how_much_it_is_behind(pair):
    one, two = pair
    two.fault("slow", "0.5")
    error = wait(lambda: two.ask("getHealth").get("error"))
    assert error["code"] == -32005
    assert error["data"]["numSlotsBehind"] > 5
    assert error["message"] == f"Node is behind by {error['data']['numSlotsBehind']} slots"
    # Agave's /health is HTTP 200 whatever it says.
    assert two.health == "behind"
    two.fault("heal")
    wait(lambda: two.health == "ok" and abs(one.slot - two.slot) <= 1)


def test_who_can_reach_nobody_stands_still_and_says_ok(pair):
    one, two = pair
    one.signal(signal.SIGSTOP)
    try:
        first = wait(lambda: _stands(two))
        assert two.health == "ok"
        assert _stands(two) == first
    finally:
        one.signal(signal.SIGCONT)
    wait(lambda: abs(one.slot - two.slot) <= 1 and two.slot > first)


def _stands(node: Node) -> int | None:
    slot = node.slot
    time.sleep(1.5)
    return slot if node.slot == slot else None


def test_a_node_whose_peers_are_gone_but_not_its_network_goes_on(make):
    gone = make()
    node = make().start(entrypoints=(gone.gossip,))
    # It has heard of nobody: it does not know how it stands.
    wait(lambda: node.health == "unknown")
    assert node.ask("getHealth")["error"]["data"] == {"numSlotsBehind": None}
    slot = node.slot
    wait(lambda: node.slot > slot + 10)


def test_after_a_graceful_exit_it_goes_on_from_its_own_state(pair, make):
    one, _ = pair
    node = make().start(entrypoints=(one.gossip,)).ready()
    payer = funded(node)
    node.run("agave-validator", "--ledger", node.ledger, "exit", "--force")
    assert node.process.wait(1) == 0
    left = max(int(path.stem.split("-")[1]) for path in node.ledger.glob("snapshot-*.json"))
    wait(lambda: one.slot > left + 15)
    node.start("--no-snapshot-fetch", entrypoints=(one.gossip,))
    wait(lambda: f"begins at slot {left} " in node.log and node.slot > left)
    assert node.balance(str(payer.pubkey())) == SOL
    wait(lambda: abs(one.slot - node.slot) <= 1)


def test_a_crash_leaves_an_older_state_and_an_empty_ledger_none(pair, make):
    one, _ = pair
    payer = funded(one)
    node = make().start(entrypoints=(one.gossip,)).ready()
    wait(lambda: node.balance(str(payer.pubkey())) == SOL)
    began = max(int(path.stem.split("-")[1]) for path in node.ledger.glob("snapshot-*.json"))
    wait(lambda: node.slot > began + 10)
    node.end()
    log = node.folder / "node.log"
    log.unlink()
    node.start("--no-snapshot-fetch", entrypoints=(one.gossip,)).ready()
    assert f"begins at slot {began} " in node.log
    node.end()
    for path in node.ledger.glob("snapshot-*.json"):
        path.unlink()
    refused = node.arguments("--no-snapshot-fetch", entrypoints=(one.gossip,))
    assert "--no-snapshot-fetch" in node.run("agave-validator", *refused, code=1)
    # With a peer's snapshot it is whole again, with what was executed before it.
    node.start(entrypoints=(one.gossip,)).ready()
    wait(lambda: node.balance(str(payer.pubkey())) == SOL)


@pytest.mark.parametrize("trusted", [True, False])
def test_only_known_validators_are_believed(pair, make, trusted):
    one, _ = pair
    known = one.ask("getIdentity")["result"]["identity"] if trusted else str(Keypair().pubkey())
    node = make().start("--known-validator", known, "--only-known-rpc", entrypoints=(one.gossip,))
    if trusted:
        node.ready()
    else:
        time.sleep(8)
        with pytest.raises(httpx.ConnectError):
            _ = node.slot


def test_its_svm_is_renewed_and_nothing_of_it_is_lost(make, release, tmp_path):
    # After a tenth of its transactions: all of them take a minute.
    hurried = tmp_path / "release"
    shutil.copytree(release, hurried, copy_function=os.link)
    data = hurried / "bin/deps/test-node/release.json"
    content = json.loads(data.read_text()) | {"renewAfter": 150}
    data.unlink()
    data.write_text(json.dumps(content))
    node = make(hurried).start().ready()
    payer = funded(node)
    first = node.ask("requestAirdrop", str(payer.pubkey()), SOL)["result"]
    accounts = [str(Keypair().pubkey()) for _ in range(4)]
    asked = []

    def airdrops(count):
        # No two amounts are alike, so that each is a transaction of its own.
        amounts = range(SOL + len(asked), SOL + len(asked) + count)
        asked.extend(amounts)
        calls = [
            {"jsonrpc": "2.0", "id": 1, "method": "requestAirdrop",
             "params": [accounts[lamports % 4], lamports]}
            for lamports in amounts
        ]  # fmt: skip
        answers = httpx.post(node.url, json=calls, timeout=300).json()
        assert not [answer for answer in answers if "error" in answer]

    for _ in range(4):
        airdrops(40)
    # It takes the time of a snapshot, after the last answer.
    wait(lambda: "the SVM was renewed" in node.log)
    airdrops(10)
    assert node.ask("getTransactionCount")["result"] == 172
    assert node.balance(str(payer.pubkey())) == 2 * SOL
    assert sum(node.balance(address) for address in accounts) == sum(asked)
    assert node.ask("getTransaction", first, {"commitment": "confirmed"})["result"]["slot"] > 0
