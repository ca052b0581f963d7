"""Exit 0 if the service on this machine says that it lives. For the container's HEALTHCHECK.

Run by path with `python -I -S`: it starts every few seconds, so it imports next to nothing.
"""

import os
import socket
import sys

try:
    with socket.create_connection(("127.0.0.1", int(os.environ.get("PORT", "8080"))), 2) as link:
        link.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = link.recv(64)
except OSError as error:
    sys.exit(f"no answer: {error}")
if not answer.startswith(b"HTTP/1.1 200 "):
    sys.exit(f"unexpected answer: {answer!r}")
