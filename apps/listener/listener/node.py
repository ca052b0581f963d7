"""What is asked of the nodes over HTTP: how far they are, and what an account was used in."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

# A page of signatures, as long as nodes give.
PAGE = 1000
# The node that answers has not come as far as another had: ask again, it or its neighbour.
_BEHIND = {-32016, -32004, -32005}
_TRIES = 8


class NodeError(Exception):
    """The nodes did not answer, or refused; the text says which call and why."""


@dataclass(frozen=True)
class Signature:
    """A transaction that mentions an account."""

    signature: str
    slot: int
    err: Any


class Node:
    """JSON-RPC calls; each is tried again for a few seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(10, connect=3), trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def slot(self) -> int:
        """The newest confirmed slot."""
        return await self._call("getSlot", {"commitment": "confirmed"})

    async def signatures(self, account: str, floor: int, reached: int) -> list[Signature]:
        """What mentions `account` from slot `floor` on, oldest first.

        Asked of a node that has come to slot `reached`, so that nothing up to there is missing.
        """
        found: list[Signature] = []
        options: dict[str, Any] = {"commitment": "confirmed", "limit": PAGE}
        options["minContextSlot"] = reached
        while True:
            page = await self._call("getSignaturesForAddress", account, options)
            rows = [Signature(row["signature"], row["slot"], row["err"]) for row in page]
            found += [row for row in rows if row.slot >= floor]
            if len(page) < PAGE or rows[-1].slot < floor:
                return found[::-1]
            options["before"] = rows[-1].signature

    async def logs(self, signature: str) -> list[str] | None:
        """A transaction's log messages; None if the nodes don't have it (any more)."""
        options = {
            "commitment": "confirmed", "encoding": "json", "maxSupportedTransactionVersion": 0,
        }  # fmt: skip
        found = await self._call("getTransaction", signature, options)
        return (found.get("meta") or {}).get("logMessages") if found else None

    async def _call(self, method: str, *params: Any) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        reason = ""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(min(0.1 * 2**attempt, 2))
            try:
                answer = await self._http.post(
                    self._url, content=body, headers={"Content-Type": "application/json"}
                )
                said = orjson.loads(answer.content)
            except (httpx.HTTPError, orjson.JSONDecodeError) as error:
                reason = f"{type(error).__name__}: {error}"
                continue
            if "error" not in said:
                return said["result"]
            reason = str(said["error"])
            if answer.status_code < 429 and said["error"].get("code") not in _BEHIND:
                break
        raise NodeError(f"{method}: {reason}")
