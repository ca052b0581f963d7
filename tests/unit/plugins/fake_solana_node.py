"""A node's RPC on a real port, which says whatever a test has it say."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

GENESIS = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"


class FakeNode:
    """Its slot moves on with time unless it is frozen; its own word is what `says` holds."""

    def __init__(self, slot: int = 1000, per_second: float = 20) -> None:
        self.start, self.per_second, self.begun = slot, per_second, time.monotonic()
        self.frozen_at: int | None = None
        self.says: dict[str, Any] = {
            "getHealth": "ok",
            "getGenesisHash": GENESIS,
            "getVersion": {"solana-core": "4.1.2"},
            "getTransactionCount": 7,
        }
        self.body = b"ok"
        self.front_status = 200
        self.silent = False

    @property
    def slot(self) -> int:
        moved = int((time.monotonic() - self.begun) * self.per_second)
        return self.start + moved if self.frozen_at is None else self.frozen_at

    def freeze(self) -> None:
        self.frozen_at = self.slot

    def result(self, method: str) -> dict[str, Any]:
        said = self.slot if method == "getSlot" else self.says[method]
        said = self.says.get(method, said)
        return {"error": said.args[0]} if isinstance(said, Exception) else {"result": said}

    def __enter__(self) -> Self:
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if node.silent:
                    time.sleep(1.5)
                self.answer(200, json.dumps({"jsonrpc": "2.0", "id": 1,
                                             **node.result(asked["method"])}).encode())  # fmt: skip

            def do_GET(self) -> None:
                if self.path == "/health":
                    self.answer(200, node.body)
                else:
                    self.answer(node.front_status, b"")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
