"""The service put together: one worker, its status port, its metrics."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

from consumer.aws import Client
from consumer.database import Database
from consumer.dead_letters import DeadLetters
from consumer.leases import Leases
from consumer.metrics import Metrics
from consumer.settings import Settings
from consumer.status import create_server
from consumer.worker import Worker

SERVICE = "consumer"
# Calls of AWS at once: more shards than that take turns.
THREADS = 32


async def serve(settings: Settings) -> None:
    """Consume until SIGTERM or SIGINT."""
    threads = ThreadPoolExecutor(THREADS)
    kinesis, dynamodb, sqs = (Client(name, threads) for name in ("kinesis", "dynamodb", "sqs"))
    dead = DeadLetters(sqs, kinesis, settings.dead_letter_queue_url, settings.stream_name)
    leases = Leases(dynamodb, settings.lease_table, settings.worker_id)
    metrics = Metrics(SERVICE)
    database = Database(settings)
    worker = Worker(settings, database, kinesis, leases, dead, metrics)
    server = create_server(settings.port, settings.revision, worker.state)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)

    async def keep_flushing() -> None:
        while True:
            await asyncio.sleep(settings.metrics_seconds)
            metrics.flush(worker.held)

    await database.open()
    serving = asyncio.create_task(server.serve())
    flushing = asyncio.create_task(keep_flushing())
    try:
        await worker.run()
    finally:
        flushing.cancel()
        metrics.flush()
        await database.close()
        server.should_exit = True
        await serving
        threads.shutdown(wait=False, cancel_futures=True)
