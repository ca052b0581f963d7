"""Holds PostgreSQL connections open: real ones, in one process, through libpq.

Runs inside a container. Prints one JSON line when it has opened what it can:
``{"open": n, "error": "why not more"}``. Where and as whom comes from libpq's own variables.
"""

import argparse
import ctypes
import json
import select
import time

_BAD = 1  # CONNECTION_BAD in libpq-fe.h
_AGAIN_SECONDS = 0.5
_LINKED = {
    "PQconnectdb": ctypes.c_void_p,
    "PQerrorMessage": ctypes.c_char_p,
    "PQexec": ctypes.c_void_p,
}
_STATEMENTS = {
    "idle": ("SELECT 1", ""),
    "idle-in-transaction": ("BEGIN; SELECT 1", ""),
    "active": ("", "SELECT pg_sleep(1000000)"),
}


def library() -> ctypes.CDLL:
    made = ctypes.CDLL("libpq.so.5")
    for name in ("PQconnectdb", "PQstatus", "PQsocket", "PQexec", "PQclear", "PQsendQuery",
                 "PQconsumeInput", "PQfinish", "PQerrorMessage"):  # fmt: skip
        function = getattr(made, name)
        function.restype = _LINKED.get(name, ctypes.c_int)
        function.argtypes = [ctypes.c_char_p] if name == "PQconnectdb" else [ctypes.c_void_p]
    for name in ("PQexec", "PQsendQuery"):
        getattr(made, name).argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return made


class Connections:
    """So many connections in one state."""

    def __init__(self, state: str):
        self._pq, self._held = library(), {}
        self._run, self._send = _STATEMENTS[state]
        self._poll = select.poll()
        self.error = ""

    def __len__(self) -> int:
        return len(self._held)

    def open(self) -> bool:
        """Opens one more; False, with ``error`` set, when the server refuses."""
        made = self._pq.PQconnectdb(b"")
        if self._pq.PQstatus(made) == _BAD:
            self.error = self._pq.PQerrorMessage(made).decode(errors="replace").strip()
            self._pq.PQfinish(made)
            return False
        if self._run:
            self._pq.PQclear(self._pq.PQexec(made, self._run.encode()))
        if self._send:
            self._pq.PQsendQuery(made, self._send.encode())
        number = self._pq.PQsocket(made)
        self._held[number] = made
        self._poll.register(number, select.POLLIN)
        return True

    def watch(self, seconds: float) -> None:
        """Lets go of those that the server has ended."""
        for number, _ in self._poll.poll(seconds * 1000):
            made = self._held[number]
            if not self._pq.PQconsumeInput(made) or self._pq.PQstatus(made) == _BAD:
                self._poll.unregister(number)
                del self._held[number]
                self._pq.PQfinish(made)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--state", choices=_STATEMENTS, required=True)
    parser.add_argument("--reopen", action="store_true")
    given = parser.parse_args()
    held = Connections(given.state)
    while len(held) < given.count and held.open():
        pass
    print(json.dumps({"open": len(held), "error": held.error}), flush=True)
    while held or given.reopen:
        held.watch(_AGAIN_SECONDS)
        while given.reopen and len(held) < given.count:
            if not held.open():
                time.sleep(_AGAIN_SECONDS)
                break


if __name__ == "__main__":
    main()
