"""A caller who takes all: so many connections, each asking again as soon as it has its answer.

    rpc_crowd.py HOST PATH CONNECTIONS

It asks for what no cache can hold, and rests a little where it is refused. Needs only Python.
"""

import asyncio
import itertools
import json
import sys

HOST, PATH, CONNECTIONS = sys.argv[1], sys.argv[2], int(sys.argv[3])
numbers = itertools.count()


async def ask() -> None:
    """Ask for ever over one connection."""
    reader, writer = await asyncio.open_connection(HOST, 80)
    while True:
        call = {"jsonrpc": "2.0", "id": 1, "method": "simulateTransaction",
                "params": [f"drill{next(numbers)}"]}  # fmt: skip
        body = json.dumps(call).encode()
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2])
            for line in head.splitlines()
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
        if b" 200 " not in head.splitlines()[0]:
            await asyncio.sleep(0.5)


async def keep_asking() -> None:
    """Ask for ever, whatever becomes of connections."""
    while True:
        try:
            await ask()
        except (OSError, asyncio.IncompleteReadError, StopIteration, RuntimeError):
            await asyncio.sleep(0.5)


async def main() -> None:
    await asyncio.gather(*(keep_asking() for _ in range(CONNECTIONS)))


asyncio.run(main())
