"""How long a test waited: for the tests of workloads, whose pyproject.toml finds it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace


@contextlib.asynccontextmanager
async def waited() -> AsyncIterator[SimpleNamespace]:
    """`.seconds` that passed in the block by a clock which stands still while the machine does.

    It counts the loop's own short sleeps: what another process took of the time is not in it.
    """
    passed = SimpleNamespace(seconds=0.0)

    async def count() -> None:
        while True:
            await asyncio.sleep(0.01)
            passed.seconds += 0.01

    counting = asyncio.create_task(count())
    try:
        yield passed
    finally:
        counting.cancel()
