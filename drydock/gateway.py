"""The AWS endpoint: names each call, answers it by a controller or by moto, and audits it."""

import json
import logging
import re
import socket
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TypeVar

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server

from drydock.audit import Audit
from drydock.errors import ApiError, DrydockError
from drydock.moto import api

T = TypeVar("T")

log = logging.getLogger("drydock.gateway")
CONTROL = "/_drydock/"
# moto keeps no lock: what reads a dictionary while another call adds to it fails with this.
_MEANWHILE = re.compile(r"during iteration$")
_TRIES = 10
_IP_FREEBIND = 15  # in.h; Python names it from 3.12 on


class Gateway:
    """A WSGI application.

    Args:
        operations: (service, action) → handler, for the calls that a controller answers.
        control: answers ``GET /_drydock/<name>`` with JSON: name → function.
        commands: answers ``POST /_drydock/<name>`` likewise, given the JSON that was posted.
    """

    def __init__(
        self,
        audit: Audit,
        operations: dict[tuple[str, str], api.Handler],
        control: dict[str, Callable[[], object]],
        commands: dict[str, Callable[[dict], object]] | None = None,
    ):
        self.audit, self.operations = audit, operations
        self.control, self.commands = control, commands or {}
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL):
            return self._control(path.removeprefix(CONTROL), environ, start_response)
        body = self._body(environ)
        call = api.identify(environ, body)
        started = time.monotonic()
        status, headers, content = self._answer(call, environ, body)
        if call:
            client = environ.get("HTTP_USER_AGENT", "").split(" ", 1)[0]
            self.audit.record(call, client, status, time.monotonic() - started)
        start_response(f"{status} -", headers)
        return [content]

    @staticmethod
    def _body(environ: dict) -> bytes:
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ["wsgi.input_terminated"] = True
            return environ["wsgi.input"].read()
        return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))

    def _control(self, name: str, environ: dict, start_response: Callable) -> list[bytes]:
        status, answer = "404 Not Found", {}
        try:
            if environ["REQUEST_METHOD"] == "POST" and name in self.commands:
                # A page in a browser can post to loopback, but not with this type.
                if environ.get("CONTENT_TYPE") != "application/json":
                    raise DrydockError("Post JSON, as application/json.")
                status, answer = "200 OK", self.commands[name](json.loads(self._body(environ)))
            elif environ["REQUEST_METHOD"] == "GET" and name in self.control:
                status, answer = "200 OK", self.control[name]()
        except DrydockError as error:
            status, answer = "400 Bad Request", {"error": str(error)}
        except Exception as error:
            log.exception("%s failed", name)
            reason = f"{name} failed: {error}; the trace is in the gateway's log."
            status, answer = "500 Internal Server Error", {"error": reason}
        content = json.dumps(answer, default=str).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
        start_response(status, headers)
        return [content]

    def _answer(
        self, call: api.Call | None, environ: dict, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        handler = self.operations.get((call.service, call.action)) if call else None
        try:
            if call and handler:
                tries = 1 if call.mutating else _TRIES
                made = _undisturbed(lambda: api.answer(call, handler, environ, body), tries)
                if made:
                    return _answer_with(*made)
            if call and not api.in_moto(call):
                return self._unknown(call, "moto has no such service")
            return _undisturbed(lambda: self._by_moto(environ, body))
        except NotImplementedError as error:
            # 501 is not retried by AWS's clients; a 500 would be, for minutes.
            return self._unknown(call, f"{error}")
        except Exception:
            log.exception("%s failed", call)
            return self._unknown(call, "internal error; the trace is in the gateway's log")

    def _by_moto(self, environ: dict, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
            begun.append((status, headers))

        parts = self._moto({**environ, "wsgi.input": BytesIO(body)}, start)
        content = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        status, headers = begun[-1]
        return int(status.split()[0]), headers, content

    @staticmethod
    def _unknown(call: api.Call | None, reason: str) -> tuple[int, list[tuple[str, str]], bytes]:
        name = f"{call.service}:{call.action}" if call else "an unsigned request"
        error = ApiError(
            "NotImplemented",
            f"The embedded cloud does not answer {name} ({reason}); see docs/fidelity.md.",
            501,
        )
        return _answer_with(*api.refuse(call, error))


def _undisturbed(act: Callable[[], T], tries: int = _TRIES) -> T:
    """What `act` returns; it is called again where another call changed what it was reading."""
    while True:
        tries -= 1
        try:
            return act()
        except RuntimeError as error:
            if not tries or not _MEANWHILE.search(str(error)):
                raise


def _answer_with(
    status: int, headers: dict[str, str], content: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    items = [(key, value) for key, value in headers.items() if key.lower() != "content-length"]
    return status, [*items, ("Content-Length", str(len(content)))], content


class _Handler(MotoRequestHandler):
    """Sends an answer whole: Terraform's client gives a call up, and asks again, where the headers
    come by themselves and the body a moment later, which one in 75 locks of a state ran into."""

    wbufsize = 1 << 16


def serve(application: Gateway, port: int, host: str = "127.0.0.1") -> BaseWSGIServer:
    """Binds the endpoint on loopback, or at an address that may come and go with its network;
    the caller runs ``serve_forever`` and ``shutdown``."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        bound.bind((host, port))
        bound.listen(128)
        return make_server(
            host, port, application, threaded=True, request_handler=_Handler,
            fd=bound.fileno(),
        )  # fmt: skip
