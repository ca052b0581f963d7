"""Whether a Solana node may serve clients: judged against other nodes, closed on any doubt.

Standard library only, since it is also installed on the node: solana_health there is this file and
roles/solana_rpc/files/solana_health_service.py (the load balancer's check, metrics, the unit's
start gate). The modules solana_health and solana_maintenance use it from here.

A node's own word is not enough. getHealth compares its slot with the newest that it has seen
itself, so one that is cut off says "ok" (anza-xyz/agave #5071), and its GET /health is HTTP 200
whatever the body says. Healthy here is: getHealth and that body say ok, AND its slot is at most
max_slots_behind behind the newest of the references, AND it advances, AND the genesis hash is the
cluster's, AND the front that clients meet answers, AND nobody has taken it out. What can't be
known is unhealthy; so is a node without any reference.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CONFIG = "/etc/solana/health.json"
BEHIND = -32005  # JSON-RPC's "Node is behind by N slots"
_ANSWER_LIMIT = 1 << 20
_LATENCIES_KEPT = 20_000
# Never through a proxy: a node's own address and its peers' are on its own network.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """A sentence for the person who configured or asked: what is wrong, and the cure."""


class NoAnswer(Exception):
    """An RPC that does not answer as one; the text says how."""


@dataclasses.dataclass(frozen=True)
class Config:
    """What /etc/solana/health.json says.

    Attributes:
        rpc_url: the validator itself, not the front before it.
        references: RPCs whose newest slot this node is held against, never itself.
        genesis_hash: of the cluster; a reference of another cluster counts as none.
        max_slots_behind: the most slots behind the newest reference at which it serves.
        interval: seconds between two looks. advance_seconds: within which the slot must advance.
        timeout: seconds for one answer.
        front_url: what must answer HTTP 200 besides, where clients connect; empty: nothing.
        maintenance_file: marks that somebody has taken the node out.
        listen, port: where the load balancer asks.
        log_port: UDP port of 127.0.0.1 that the front logs to (see the service); 0: none.
        cloudwatch: namespace, region, group, instance_id, seconds; empty: none.
    """

    rpc_url: str
    references: tuple[str, ...]
    genesis_hash: str
    max_slots_behind: int = 50
    interval: float = 2.0
    advance_seconds: float = 4.0
    timeout: float = 2.0
    front_url: str = ""
    maintenance_file: str = "/run/solana-rpc/maintenance"
    listen: str = "0.0.0.0"  # noqa: S104 (the security group lets the load balancer alone in)
    port: int = 8898
    log_port: int = 0
    cloudwatch: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, path: str) -> Config:
        """Read the file. Raises Refused."""
        try:
            given = json.loads(Path(path).read_text())
            known = {field.name for field in dataclasses.fields(cls)}
            if unknown := set(given) - known:
                raise Refused(f"{path} has {', '.join(sorted(unknown))}, which nothing reads.")
            found = cls(**{**given, "references": tuple(given["references"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Refused(
                f"{path} can't be used ({type(error).__name__}: {error}): run "
                "playbooks/configure-solana.yml, which writes it."
            ) from error
        if not found.genesis_hash or found.max_slots_behind < 0 or found.interval <= 0:
            raise Refused(f"{path}: genesis_hash, max_slots_behind and interval must be given.")
        return found


@dataclasses.dataclass(frozen=True)
class Sample:
    """One look: slots as far as they are known, and what was wrong (code → sentence)."""

    at: float
    slot: int | None
    references: dict[str, int | str]
    problems: dict[str, str]
    version: str = ""
    transactions: int | None = None

    @property
    def reference_slot(self) -> int | None:
        known = [slot for slot in self.references.values() if isinstance(slot, int)]
        return max(known, default=None)


def name_of(url: str) -> str:
    """Host and port of a URL; what else is in it may be a key of a provider."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def call(url: str, method: str, timeout: float, params: list[Any] | None = None) -> Any:
    """Return the result of a JSON-RPC method. Raises NoAnswer; its `error` is JSON-RPC's own."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []}
    request = urllib.request.Request(  # noqa: S310 (addresses are the operator's)
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    answer = _json_of(_fetch(request, timeout), method)
    if "error" in answer:
        refused = NoAnswer(f"{method}: {_message(answer['error'])}")
        refused.error = answer["error"]
        raise refused
    if "result" not in answer:
        raise NoAnswer(f"{method} has neither result nor error")
    return answer["result"]


def _json_of(text: bytes, method: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise NoAnswer(f"{method} is not answered in JSON") from error
    if not isinstance(answer, dict):
        raise NoAnswer(f"{method} is not answered with an object")
    return answer


def _message(error: Any) -> str:
    return str(error.get("message", error) if isinstance(error, dict) else error)[:200]


def _fetch(request: Any, timeout: float) -> bytes:
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            return answer.read(_ANSWER_LIMIT)
    except urllib.error.HTTPError as error:
        with error:
            raise NoAnswer(f"HTTP {error.code}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(str(getattr(error, "reason", error)) or type(error).__name__) from error


def _slot(url: str, timeout: float) -> int:
    slot = call(url, "getSlot", timeout, [{"commitment": "confirmed"}])
    if isinstance(slot, bool) or not isinstance(slot, int) or slot < 0:
        raise NoAnswer(f"getSlot says {slot!r}, which is no slot")
    return slot


class Checker:
    """Looks at one node again and again; the samples of the last seconds are kept."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.samples: list[Sample] = []
        self._genesis: dict[str, str] = {}

    def look(self) -> dict[str, Any]:
        """Take a sample and return the report (see `report`)."""
        sample = self._sample()
        earlier = self._earlier(sample.at)
        self.samples = [one for one in self.samples if one.at > sample.at - 60] + [sample]
        return report(self.config, sample, earlier, maintenance(self.config.maintenance_file))

    def _earlier(self, now: float) -> Sample | None:
        """The newest sample that the slot must have advanced since; one without a slot is none."""
        last = now - self.config.advance_seconds
        old = [one for one in self.samples if one.at <= last and one.slot is not None]
        return old[-1] if old else None

    def _sample(self) -> Sample:
        config = self.config
        with ThreadPoolExecutor(len(config.references) + 1) as pool:
            asked = {url: pool.submit(self._reference, url) for url in config.references}
            own = pool.submit(self._own)
            references = {name_of(url): answer.result() for url, answer in asked.items()}
            slot, version, transactions, problems = own.result()
        return Sample(time.monotonic(), slot, references, problems, version, transactions)

    def _reference(self, url: str) -> int | str:
        """The reference's slot, or why it is none."""
        try:
            if url not in self._genesis:
                self._genesis[url] = str(call(url, "getGenesisHash", self.config.timeout))
            if self._genesis[url] != self.config.genesis_hash:
                return f"is of another cluster ({self._genesis.pop(url)})"
            return _slot(url, self.config.timeout)
        except NoAnswer as error:
            return str(error)

    def _own(self) -> tuple[int | None, str, int | None, dict[str, str]]:
        url, timeout = self.config.rpc_url, self.config.timeout
        problems: dict[str, str] = {}
        slot, version, transactions = None, "", None
        try:
            slot = _slot(url, timeout)
            genesis = call(url, "getGenesisHash", timeout)
            if genesis != self.config.genesis_hash:
                problems["genesis"] = (
                    f"its genesis hash is {genesis}, not {self.config.genesis_hash}: it follows "
                    "another cluster"
                )
            version = str(dict(call(url, "getVersion", timeout)).get("solana-core", ""))
            with contextlib.suppress(NoAnswer):  # a figure, no part of the judgement
                transactions = int(call(url, "getTransactionCount", timeout))
            problems.update(self._own_word())
        except (NoAnswer, TypeError, ValueError) as error:
            problems["no_answer"] = f"its RPC does not answer: {error}"
        if self.config.front_url:
            try:
                _fetch(self.config.front_url, timeout)
            except NoAnswer as error:
                problems["front"] = f"the front that clients meet does not answer: {error}"
        return slot, version, transactions, problems

    def _own_word(self) -> dict[str, str]:
        """What the node says of itself; a lie is possible, an admission is not one."""
        url, timeout = self.config.rpc_url, self.config.timeout
        found = {}
        try:
            said = call(url, "getHealth", timeout)
        except NoAnswer as error:
            said = str(error)
        if said != "ok":
            found["own_word"] = f"it says of itself: {said}"
        body = _fetch(f"{url}/health", timeout).decode(errors="replace").strip()
        if body != "ok":
            found["own_body"] = f"its /health says {body[:40]!r}"
        return found


def report(
    config: Config, sample: Sample, earlier: Sample | None, out: dict[str, Any] | None
) -> dict[str, Any]:
    """Judge a sample.

    Args:
        earlier: one of advance_seconds before, None where there is none yet.
        out: the mark of maintenance.

    Returns:
        at (monotonic seconds), healthy (may serve), ready (would, were it not taken out), reasons
        (code → sentence), slot, reference_slot, slots_behind, advancing (None: unknown), gain
        (slots per second by which it comes nearer), version, transactions, references (name →
        slot or what is wrong) and maintenance.
    """
    reasons = dict(sample.problems)
    newest, slot = sample.reference_slot, sample.slot
    behind = None if slot is None or newest is None else max(0, newest - slot)
    advancing = gain = None
    if newest is None:
        seen = "; ".join(f"{name} {what}" for name, what in sample.references.items())
        reasons["no_reference"] = f"there is nothing to hold it against: {seen or 'no reference'}"
    elif behind is not None and behind > config.max_slots_behind:
        reasons["behind"] = (
            f"it is {behind} slots behind {newest}, the newest of the references, "
            f"more than {config.max_slots_behind}"
        )
    if slot is not None:
        if earlier is None or earlier.slot is None:
            reasons["too_early"] = "it is not known yet whether its slot advances"
        else:
            seconds = sample.at - earlier.at
            advancing = slot > earlier.slot
            if not advancing:
                reasons["stands_still"] = f"its slot stands still at {slot} for {seconds:.0f} s"
            if newest is not None and earlier.reference_slot is not None:
                moved = (slot - earlier.slot) - (newest - earlier.reference_slot)
                gain = round(moved / seconds, 2)
    ready = not reasons
    if out is not None:
        reasons["maintenance"] = (
            f"taken out by {out.get('who')} since {out.get('since')}: {out.get('why')}"
        )
    return {
        "at": sample.at, "healthy": not reasons, "ready": ready, "reasons": reasons, "slot": slot,
        "reference_slot": newest, "slots_behind": behind, "advancing": advancing, "gain": gain,
        "version": sample.version, "transactions": sample.transactions,
        "references": sample.references, "maintenance": out,
    }  # fmt: skip


def served(config: Config) -> int:
    """Return the status that the service on this node gives the load balancer; 0: none."""
    try:
        url = f"http://127.0.0.1:{config.port}/health"
        with _OPENER.open(url, timeout=config.timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (OSError, http.client.HTTPException):
        return 0


def looks(config: Config, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield reports for that long; the first comes when it is known whether the slot advances."""
    checker, end = Checker(config), time.monotonic() + seconds
    while True:
        seen = checker.look()
        seconds_seen = checker.samples[-1].at - checker.samples[0].at
        if "too_early" not in seen["reasons"] or seconds_seen >= config.advance_seconds:
            yield seen
            if time.monotonic() >= end:
                return
        time.sleep(config.interval)


def maintenance(path: str) -> dict[str, Any] | None:
    """Return the mark (who, why, since, until, planned); None where there is none, or it ran out.

    A mark that can't be read is one: somebody meant to take the node out.
    """
    try:
        mark = dict(json.loads(Path(path).read_text()))
        return mark if float(mark["until"]) > time.time() else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        return {"who": "unknown", "why": f"{path} can't be read: {error}", "since": "unknown"}


def mark(path: str, who: str, why: str, minutes: float, planned: bool) -> dict[str, Any]:
    """Take the node out until it is put back, at most for so many minutes (whoever took it out
    may have died). planned: alarms are not told."""
    now = time.time()
    made = {
        "who": who, "why": why, "planned": planned, "until": round(now + 60 * minutes),
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
    }  # fmt: skip
    folder = Path(path).parent
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Beside it, then renamed: half a mark would be read as one that nobody knows.
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
        json.dump(made, file)
        os.fchmod(file.fileno(), 0o644)
    Path(file.name).replace(path)
    return made
