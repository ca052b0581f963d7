"""Ports for services under test: for the tests of workloads, whose pyproject.toml finds it."""

import secrets
import socket


def free_port() -> int:
    """A port that a service can listen on.

    It is below those that Linux gives to outgoing connections (from 32768 on): one of those keeps
    its port for a minute after it was closed, and with 19,000 of them, such as a load test beside
    leaves behind, nobody could listen on a third of the ports that the kernel called free.
    """
    while True:
        port = 29_000 + secrets.randbelow(3_700)
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("", port))
                one.listen()
            except OSError:
                continue
        return port
