"""JSON-RPC over HTTP: single calls and batches, answered from the cache or by the nodes."""

import asyncio
import hashlib
import hmac
import ipaddress
import time
from typing import Any

import orjson
import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from rpc_cache import methods
from rpc_cache.cache import Cache
from rpc_cache.errors import INVALID, PARSE, Limited, NodesAway, RpcError
from rpc_cache.limits import Limit, Limits
from rpc_cache.metrics import Metrics
from rpc_cache.nodes import Nodes
from rpc_cache.settings import Settings


class Callers:
    """Who asks: by a key that was given out, else by the address that the load balancer saw."""

    def __init__(self, settings: Settings) -> None:
        self._names = {digest: name for name, digest in settings.caller_keys.items()}
        self._hops = settings.caller_hops

    def name(self, headers: Headers, peer: str) -> str:
        """`key:NAME` or `ip:ADDRESS` (of IPv6 the /64, which is one customer's)."""
        if key := headers.get("x-api-key"):
            digest = hashlib.sha256(key.encode()).hexdigest()
            for known, name in self._names.items():
                if hmac.compare_digest(known, digest):
                    return f"key:{name}"
        # Only what our own proxies added: what stands before it, the caller may have made up.
        passed = [part.strip() for part in headers.get("x-forwarded-for", "").split(",") if part]
        if self._hops and len(passed) >= self._hops:
            peer = passed[-self._hops]
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return "ip:unknown"
        if address.version == 6:
            return f"ip:{ipaddress.ip_network((address, 64), strict=False)}"
        return f"ip:{address}"


class Rpc:
    """Answers calls."""

    def __init__(
        self, settings: Settings, cache: Cache, nodes: Nodes, limits: Limits, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._nodes = nodes
        self._limits = limits
        self._metrics = metrics
        self.callers = Callers(settings)

    async def handle(self, request: Request) -> Response:
        """One HTTP request with a call or a batch."""
        caller = self.callers.name(request.headers, request.client.host if request.client else "")
        structlog.contextvars.bind_contextvars(caller=caller)
        document: Any = None
        try:
            document = await self._read(request)
            if isinstance(document, list):
                return await self._batch(document, caller)
            body, cached = await self._call(document, caller)
        except RpcError as error:
            structlog.contextvars.bind_contextvars(error=error.label)
            number = document.get("id") if isinstance(document, dict) else None
            return _response(error.body(number), error.status, error.headers)
        if "id" not in document:
            return Response(status_code=204)  # A notification has no answer.
        return _response(body, 200, {"X-Cache": cached})

    async def _read(self, request: Request) -> Any:
        limit = self._settings.request_max
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > limit:
                raise RpcError(INVALID, f"The request has more than {limit} bytes.", 413)
        try:
            return orjson.loads(bytes(body))
        except orjson.JSONDecodeError as error:
            raise RpcError(PARSE, f"The request is not JSON: {error}.") from error

    async def _batch(self, calls: list[Any], caller: str) -> Response:
        most = self._settings.batch_max
        if not calls:
            raise RpcError(INVALID, "The batch has no call.")
        if len(calls) > most:
            raise RpcError(INVALID, f"The batch has {len(calls)} calls; {most} are taken.", 413)
        structlog.contextvars.bind_contextvars(batch=len(calls))
        answers = await asyncio.gather(*(self._of_batch(call, caller) for call in calls))
        given = [answer for answer in answers if answer is not None]
        return _response(b"[" + b",".join(given) + b"]", 200) if given else Response(
            status_code=204)  # fmt: skip

    async def _of_batch(self, call: Any, caller: str) -> bytes | None:
        number = call.get("id") if isinstance(call, dict) else None
        try:
            body, _ = await self._call(call, caller)
        except RpcError as error:
            body = error.body(number)
        return None if isinstance(call, dict) and "id" not in call else body

    async def _call(self, call: Any, caller: str) -> tuple[bytes, str]:
        """The answer to one call, and how it came: hit, miss, or pass where none is kept."""
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            raise RpcError(INVALID, "A call is an object with a method, which is a string.")
        number = call.get("id")
        if not isinstance(number, str | int | float | None):
            raise RpcError(INVALID, "The id of a call is a string, a number or null.")
        method, params = call["method"], call.get("params")
        params = [] if params is None else params
        settings = self._settings
        name = methods.metric_name(method)
        structlog.contextvars.bind_contextvars(rpc_method=name)
        plan = methods.plan(method, params, settings.ttl_factor, settings.method_ttls)
        try:
            if plan is None:
                call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                if isinstance(number, str | int):
                    call["id"] = number
                raw, _ = await self._ask(method, name, orjson.dumps(call), caller)
                self._metrics.called(name, caller, hit=False)
                return raw, "pass"

            async def load() -> tuple[bytes, float]:
                payload = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                _, result = await self._ask(method, name, orjson.dumps(payload), caller)
                return orjson.dumps(result), plan.ttl_of(result)

            raw, hit = await self._cache.get(plan.key, caller, load)
        except Limited:
            self._metrics.limited(name, caller)
            raise
        except RpcError:
            self._metrics.called(name, caller, hit=False)
            raise
        self._metrics.called(name, caller, hit)
        body = b'{"jsonrpc":"2.0","result":' + raw + b',"id":' + orjson.dumps(number) + b"}"
        return body, "hit" if hit else "miss"

    async def _ask(self, method: str, name: str, payload: bytes, caller: str) -> tuple[bytes, Any]:
        await self.charge(method, caller)
        begin, away = time.perf_counter(), None
        try:
            return await self._nodes.ask(method, payload)
        except NodesAway as error:
            away = error
            raise
        finally:
            self._metrics.asked(name, caller, time.perf_counter() - begin, away)

    async def charge(self, method: str, caller: str) -> None:
        """Count a call that goes to the nodes. Raises Limited."""
        settings = self._settings
        limits = [Limit("caller", caller, settings.caller_limits.get(caller, settings.caller_rate))]
        if rate := settings.method_limits.get(method):
            limits.append(Limit("method", method, rate))
        await self._limits.take(limits)


def _response(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, "application/json")
