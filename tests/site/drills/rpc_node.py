"""Stands for Solana's RPC nodes in a drill: it answers anything, so many calls at once.

    rpc_node.py PORT AT_ONCE SECONDS

Each call takes so many seconds. GET / says how many were answered. Needs only Python.
"""

import asyncio
import json
import sys

PORT, AT_ONCE, SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
served = 0
gate = asyncio.Semaphore(AT_ONCE)


async def answer(body: bytes) -> bytes:
    """Answer one call when its turn has come."""
    global served
    call = json.loads(body)
    async with gate:
        await asyncio.sleep(SECONDS)
    served += 1
    result = "ok" if call["method"] == "getHealth" else {"context": {"slot": served}, "value": 1}
    return json.dumps({"jsonrpc": "2.0", "result": result, "id": call["id"]}).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what comes by one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = 0
            for line in head.decode().splitlines()[1:]:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            body = await reader.readexactly(length)
            said = await answer(body) if head.startswith(b"POST") else str(served).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "0.0.0.0", PORT)  # noqa: S104 (its container's)
    await server.serve_forever()


asyncio.run(main())
