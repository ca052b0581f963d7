"""The subscription, which is quick, and the paging, which is what leaves no gap.

Nodes drop notifications, end connections and fall behind, and say nothing of it. So after every
connection, every slot that was passed over and every AUDIT_SECONDS, the signatures of each account
are paged back to where all was known to be published, and what is missing is queued before
anything that comes later. Meanwhile the socket is not read: that is the backpressure.
"""

import asyncio
import random
import time
from collections import OrderedDict
from typing import Any

import orjson
import websockets

from listener import logs
from listener.envelope import logs_event, slot_event
from listener.metrics import Metrics
from listener.node import Node, NodeError
from listener.publish import Publisher, Stalled
from listener.settings import Settings

# Signatures of an account that are remembered as queued: those of longer ago may be queued twice.
_REMEMBERED = 50_000
_PAUSE_MAX = 10.0
# Transactions asked for side by side while paging: one by one it would fall behind a busy account.
_AT_ONCE = 16


class Subscription:
    """Follows the accounts; `run` returns never, and is cancelled."""

    def __init__(
        self, settings: Settings, node: Node, publisher: Publisher, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._node = node
        self._publisher = publisher
        self._metrics = metrics
        self._verified = dict(publisher.positions)
        self._known: dict[str, OrderedDict[str, None]] = {
            account: OrderedDict() for account in settings.accounts
        }
        self._slot: int | None = None
        self._audit_at = 0.0
        self._log = logs.get(component="listen")

    async def run(self) -> None:
        """One connection after another."""
        pause = self._settings.reconnect_seconds
        while True:
            begin = time.monotonic()
            try:
                await self._connection()
            except (OSError, TimeoutError, websockets.WebSocketException, NodeError) as error:
                reason = f"{type(error).__name__}: {error}"
            except Stalled:
                reason = f"Kinesis took nothing for {self._settings.stall_seconds:g} s"
            if time.monotonic() - begin > 10 * self._settings.reconnect_seconds:
                pause = self._settings.reconnect_seconds
            self._metrics.counts["Reconnects"] += 1
            self._log.warning("reconnecting", seconds=round(pause, 2), reason=reason)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            pause = min(pause * 2, _PAUSE_MAX)

    async def _connection(self) -> None:
        silence = self._settings.silence_seconds
        async with websockets.connect(
            self._settings.node_websocket_url, open_timeout=5, close_timeout=1, proxy=None,
            max_size=16_000_000,
        ) as socket:  # fmt: skip
            of, early = await self._subscribe(socket)
            # Subscribed before paged: what is neither in the pages comes by the socket.
            await self._page_all()
            for message in early:
                await self._heard(message, of)
            self._log.info("following", accounts=len(of), slot=self._slot)
            heard_at = time.monotonic()
            while True:
                async with asyncio.timeout(silence):
                    message = orjson.loads(await socket.recv())
                if await self._heard(message, of):
                    heard_at = time.monotonic()
                if time.monotonic() - heard_at > silence:
                    raise TimeoutError(f"no slot for {silence:g} s")
                if time.monotonic() >= self._audit_at:
                    await self._page_all()

    async def _subscribe(self, socket: Any) -> tuple[dict[int, str], list[dict]]:
        """Subscription → account, and the notifications that came in between."""
        calls: dict[int, tuple[str, list, str]] = {0: ("slotSubscribe", [], "")}
        for number, account in enumerate(self._settings.accounts, 1):
            params = [{"mentions": [account]}, {"commitment": "confirmed"}]
            calls[number] = ("logsSubscribe", params, account)
        for number, (method, params, _) in calls.items():
            call = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            await socket.send(orjson.dumps(call).decode())
        of: dict[int, str] = {}
        early: list[dict] = []
        missing = set(calls)
        while missing:
            async with asyncio.timeout(10):
                said = orjson.loads(await socket.recv())
            if "id" not in said:
                early.append(said)
                continue
            if "error" in said:
                raise NodeError(f"{calls[said['id']][0]}: {said['error']}")
            of[said["result"]] = calls[said["id"]][2]
            missing.discard(said["id"])
        return of, early

    async def _heard(self, message: dict, of: dict[int, str]) -> bool:
        """Deals with a notification; whether it told of a slot."""
        params = message.get("params", {})
        if message.get("method") == "slotNotification":
            await self._heard_slot(params["result"])
            return True
        if message.get("method") == "logsNotification":
            account = of[params["subscription"]]
            value, slot = params["result"]["value"], params["result"]["context"]["slot"]
            await self._queue(account, slot, value["signature"], value["err"], value["logs"])
        return False

    async def _heard_slot(self, told: dict[str, int]) -> None:
        last, slot = self._slot, told["slot"]
        self._slot = self._metrics.slot = max(slot, last or 0)
        if last is not None and told["parent"] > last:
            self._metrics.counts["Gaps"] += 1
            self._log.warning("slots_missed", after=last, before=slot)
            await self._page_all()
        if self._settings.publish_slots:
            share = self._settings.trace_sample
            await self._publisher.put(slot_event(slot, told["parent"], told["root"], share))

    async def _page_all(self) -> None:
        for account in self._settings.accounts:
            await self._page(account)
        self._audit_at = time.monotonic() + self._settings.audit_seconds

    async def _page(self, account: str) -> None:
        reached = await self._node.slot()
        if account in self._verified:
            floor = max(0, self._verified[account] - self._settings.replay_slots)
            known = self._known[account]
            found = await self._node.signatures(account, floor, reached)
            missing = [row for row in found if row.signature not in known]
            for first in range(0, len(missing), _AT_ONCE):
                some = missing[first : first + _AT_ONCE]
                messages = await asyncio.gather(*(self._node.logs(row.signature) for row in some))
                for row, lines in zip(some, messages, strict=True):
                    await self._queue(account, row.slot, row.signature, row.err, lines)
                    self._metrics.counts["Paged"] += 1
        # An account that was never followed begins here.
        self._verified[account] = max(reached, self._verified.get(account, 0))
        self._publisher.mark(account, self._verified[account])

    async def _queue(
        self, account: str, slot: int, signature: str, err: Any, messages: list[str] | None
    ) -> None:
        known = self._known[account]
        if signature in known:
            return
        share = self._settings.trace_sample
        await self._publisher.put(logs_event(account, slot, signature, err, messages, share))
        known[signature] = None
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
