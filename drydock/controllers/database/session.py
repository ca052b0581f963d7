"""PostgreSQL's protocol on a node's own socket, with an end to every wait.

The socket lies in the node's folder, so the gateway needs no ``podman exec`` to ask: that
would cost a process a second, and stand in the way of ``podman pause``. PgBouncer's console
speaks the same protocol. What is sent is described in PostgreSQL's documentation, "Message
Flow" and "Message Formats".
"""

import os
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

_PROTOCOL = 3 << 16
_ANSWER_SECONDS = 2.0

Row = tuple[str | None, ...]


class Refused(Exception):
    """The server answers, but not as asked.

    Attributes:
        code: SQLSTATE, such as 57P03 while it starts.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class Session:
    """A session of a role that the server lets in by its socket; closed by ``with``.

    Attributes:
        pid: the server's main process, as this machine numbers it.

    Args:
        folder: which holds the server's socket.
        timeout: seconds until an answer must be complete.

    Raises:
        OSError: nothing listens, or it doesn't answer in time (TimeoutError).
        Refused: the server's own refusal.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        user: str = "rdsadmin",
        database: str = "postgres",
        timeout: float = _ANSWER_SECONDS,
    ):
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._connect(folder, port)
            peer = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            self.pid = struct.unpack("3i", peer)[0]
            words = ("user", user, "database", database, "application_name", "drydock", "")
            text = b"".join(word.encode() + b"\0" for word in words)
            self._socket.sendall(struct.pack("!II", len(text) + 8, _PROTOCOL) + text)
            self._read()
        except BaseException:
            self.close()
            raise

    def _connect(self, folder: Path, port: int) -> None:
        self._socket.settimeout(self._timeout)
        # A socket's path may have 107 bytes; a folder's descriptor makes any path short.
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            self._socket.connect(f"/proc/self/fd/{descriptor}/.s.PGSQL.{port}")
        finally:
            os.close(descriptor)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()

    def query(self, sql: str, timeout: float | None = None) -> list[Row]:
        """Runs a statement and returns its rows, every value as text.

        Raises:
            OSError: no answer in time; the session is of no more use.
            Refused: the statement fails.
        """
        text = sql.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!I", len(text) + 4) + text)
        return self._read(timeout)

    def _read(self, timeout: float | None = None) -> list[Row]:
        """Everything up to ReadyForQuery."""
        deadline = time.monotonic() + (timeout or self._timeout)
        rows: list[Row] = []
        refusal = None
        while True:
            kind, length = struct.unpack("!cI", self._take(5, deadline))
            body = self._take(length - 4, deadline)
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
                refusal = Refused(fields.get(b"C", ""), fields.get(b"M", "no reason given"))
                if fields.get(b"S") in ("FATAL", "PANIC"):
                    raise refusal
            elif kind == b"R" and struct.unpack("!I", body[:4])[0] != 0:
                raise Refused("28000", "the server asks for a password on its own socket")
            elif kind == b"Z":
                if refusal:
                    raise refusal
                return rows

    def _take(self, size: int, deadline: float) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the server does not answer")
            self._socket.settimeout(left)
            more = self._socket.recv(size - len(taken))
            if not more:
                raise ConnectionError("the server has closed the session")
            taken += more
        return bytes(taken)


def _row(body: bytes) -> Row:
    """A DataRow message's values."""
    count, place, values = struct.unpack("!H", body[:2])[0], 2, []
    for _ in range(count):
        size = struct.unpack("!i", body[place : place + 4])[0]
        place += 4
        if size < 0:
            values.append(None)
        else:
            values.append(body[place : place + size].decode())
            place += size
    return tuple(values)
