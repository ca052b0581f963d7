"""uvicorn's HTTP protocol with an end to headers: of time and of size.

uvicorn itself waits for them for ever and takes any number: a few hundred clients that send a
byte a minute would take all file descriptors of a task.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEADER_BYTES = 32768
_ANSWER = (
    "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: {length}\r\nConnection: close\r\n\r\n{text}"
)


class BoundedHttp(HttpToolsProtocol):
    """`seconds` from a request's first byte, or from the connection, to the end of its headers."""

    seconds = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._headers_bytes = 0
        self._headers_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        # Silent from the start: as long as a connection that idles between two requests.
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._headers_timer is not None:
            self._headers_bytes += len(data)
            if self._headers_bytes > _HEADER_BYTES:
                self._end("431 Request Header Fields Too Large", "The headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._headers_done()
        self._headers_timer = self.loop.call_later(self.seconds, self._late)

    def on_headers_complete(self) -> None:
        self._headers_done()
        super().on_headers_complete()

    def _headers_done(self) -> None:
        self._headers_bytes = 0
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None

    def _late(self) -> None:
        self._end("408 Request Timeout", f"The headers didn't come within {self.seconds:g} s.")

    def _end(self, status: str, text: str) -> None:
        self._headers_done()
        if not self.transport.is_closing():
            answer = _ANSWER.format(status=status, length=len(text), text=text)
            self.transport.write(answer.encode())
            self.transport.close()
