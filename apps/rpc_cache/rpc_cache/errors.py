"""Refusals as JSON-RPC errors.

Codes are JSON-RPC's own, and Solana's -32005 (node unhealthy) where a caller does well to wait
and ask again: nodes that are away, behind or busy, and a caller's own limit. The HTTP status
tells those apart, and is what Solana's clients act on: they wait and retry after 429.
"""

from typing import Any

import orjson

PARSE, INVALID, UNHEALTHY, INTERNAL = -32700, -32600, -32005, -32603


class RpcError(Exception):
    """A refusal with a JSON-RPC code, a sentence, and the HTTP status of a single call.

    label: the cause as logs name it.
    """

    label = "refused"

    def __init__(
        self,
        code: int,
        message: str,
        status: int = 200,
        data: Any = None,
        wait: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        # Whole seconds: what the header Retry-After takes.
        self.headers = {} if wait is None else {"Retry-After": str(max(1, round(wait)))}
        self.error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data

    @classmethod
    def of_node(cls, error: dict[str, Any]) -> "RpcError":
        """What a node answered instead of a result, as it answered it."""
        made = cls(0, str(error.get("message", "")))
        made.error = error
        return made

    def body(self, number: Any = None) -> bytes:
        """The answer to the call with this id."""
        return orjson.dumps({"jsonrpc": "2.0", "error": self.error, "id": number})


class Limited(RpcError):
    """The caller, or the method for everyone, has had its calls for now."""

    def __init__(self, kind: str, name: str, rate: float, wait: float) -> None:
        who = f"Caller {name}" if kind == "caller" else f"Method {name}, by all callers together,"
        super().__init__(
            UNHEALTHY,
            f"{who} may make {rate:g} calls a second that are not in the cache. "
            "Wait, then ask again.",
            429,
            {"limited": kind, "perSecond": rate, "retryAfter": round(wait, 3)},
            wait,
        )
        self.kind = kind
        self.name = name
        self.label = f"limited_{kind}"


class NodesAway(RpcError):
    """No node answered. `late`: one may have been about to, so they are busy rather than away."""

    def __init__(self, why: str, late: bool = False) -> None:
        super().__init__(
            UNHEALTHY, f"No node answers: {why.rstrip('.')}. Ask again later.", 503,
            {"numSlotsBehind": None}, 1,
        )  # fmt: skip
        self.late = late
        self.label = "nodes_late" if late else "nodes_away"
