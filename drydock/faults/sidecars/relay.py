"""Stands in a part's network between its clients and its server: delays, or answers errors.

Runs inside a container on Python's standard library alone; what is redirected to its port is
passed on to where the client wanted to go.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import random
import socket
import struct

_ORIGINAL_DESTINATION = 80  # SO_ORIGINAL_DST in linux/netfilter_ipv4.h
_CHUNK = 65536
_LINGER = 2.0


def destination(connection: socket.socket) -> tuple[str, int]:
    """Where the client of a redirected connection wanted to go."""
    raw = connection.getsockopt(socket.SOL_IP, _ORIGINAL_DESTINATION, 16)
    port, address = struct.unpack("!2xH4s8x", raw)
    return str(ipaddress.ip_address(address)), port


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Passes bytes on, each so many seconds after it came, with no less throughput."""
    waiting: asyncio.Queue = asyncio.Queue(64)
    clock = asyncio.get_running_loop().time

    async def receive() -> None:
        data = b"begin"
        while data:
            try:
                data = await reader.read(_CHUNK)
            except OSError:
                data = b""
            await waiting.put((clock() + delay, data))

    receiving = asyncio.create_task(receive())
    try:
        while True:
            due, data = await waiting.get()
            if (rest := due - clock()) > 0:
                await asyncio.sleep(rest)
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
    except OSError:  # the receiving side has gone
        writer.transport.abort()
    finally:
        receiving.cancel()


async def both(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter], delay: float, begun: bytes = b""
) -> None:
    reader, writer = client
    host, port = destination(writer.get_extra_info("socket"))
    up_reader, up_writer = await asyncio.open_connection(host, port)
    try:
        up_writer.write(begun)
        await asyncio.gather(pump(reader, up_writer, 0), pump(up_reader, writer, delay))
    finally:
        up_writer.close()


def closing(head: bytes) -> bytes:
    """A request's head that asks for one answer on the connection; an upgrade stays as it is."""
    lines = head.split(b"\r\n")
    names = [line.split(b":")[0].strip().lower() for line in lines]
    if b"upgrade" in names:
        return head
    kept = [
        line
        for line, name in zip(lines, names, strict=True)
        if name not in (b"connection", b"keep-alive")
    ]
    return b"\r\n".join([kept[0], b"Connection: close", *kept[1:]])


async def http(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    share: float,
    status: int,
    passed: list[str],
) -> None:
    reader, writer = client
    head = await reader.readuntil(b"\r\n\r\n")
    words = head.split(b" ", 2)
    path = words[1].split(b"?")[0].decode("latin-1") if len(words) > 1 else ""
    if path in passed or random.random() >= share:  # noqa: S311 (not for secrets)
        await both(client, 0, closing(head))
        return
    body = b"Injected by drydock fault.\n"
    writer.write(
        b"HTTP/1.1 %d Injected\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
        b"Connection: close\r\n\r\n%s" % (status, len(body), body)
    )
    writer.write_eof()
    # What the client still sends is read, or a reset would overtake the answer.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while await reader.read(_CHUNK):
                pass


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--share", type=float)
    parser.add_argument("--status", type=int, default=500)
    parser.add_argument("--pass", dest="passed", action="append", default=[])
    given = parser.parse_args()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = (reader, writer)
        try:
            if given.share is None:
                await both(client, given.delay)
            else:
                await http(client, given.share, given.status, given.passed)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", given.port)  # noqa: S104
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
