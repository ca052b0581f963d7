"""AWS from asyncio: boto3's clients in threads, with time-outs of our own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# What a service that is away, slow or throttling raises.
FAILED = (BotoCoreError, ClientError)
_CONFIG = Config(
    connect_timeout=3,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=32,
)


def code_of(error: Exception) -> str:
    """AWS's code of an error, such as ConditionalCheckFailedException; empty if it has none."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else ""


class Client:
    """One service; `await call("get_records", …)`."""

    def __init__(self, service: str, threads: ThreadPoolExecutor) -> None:
        self._client = boto3.client(service, config=_CONFIG)
        self._threads = threads

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """The answer of AWS; raises what boto3 raises."""
        method = getattr(self._client, operation)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: method(**arguments))
