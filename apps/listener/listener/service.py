"""The service put together: active or standby, its status port, its metrics."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

from listener import logs
from listener.aws import FAILED, Client
from listener.lease import Lease, LeaseLost
from listener.listen import Subscription
from listener.metrics import Metrics
from listener.node import Node
from listener.publish import Publisher
from listener.settings import Settings
from listener.status import create_server

SERVICE = "listener"


class Service:
    """`await run()` until `stop()`."""

    def __init__(self, settings: Settings, kinesis: Client, dynamodb: Client) -> None:
        self._settings = settings
        self._kinesis = kinesis
        self._lease = Lease(settings, dynamodb)
        self._metrics = Metrics(SERVICE)
        self._stopping = asyncio.Event()
        self._log = logs.get(component="service", worker=settings.worker_id)

    def state(self) -> tuple[bool, dict]:
        """Whether it works, and as what: for /ready. A standby is ready too."""
        if self._stopping.is_set():
            return False, {"status": "draining"}
        role = "active" if self._metrics.active else "standby"
        return True, {"status": "ready", "role": role, "backlog": self._metrics.backlog}

    def stop(self) -> None:
        """Begin to drain."""
        self._stopping.set()

    async def run(self) -> None:
        """Stands by, listens, and stands by again, until stopped."""
        stopping = asyncio.create_task(self._stopping.wait())
        flushing = asyncio.create_task(self._keep_flushing())
        try:
            while not self._stopping.is_set():
                waiting = asyncio.create_task(self._lease.acquire())
                await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    await _end(waiting)
                    return
                await self._listen(waiting.result(), stopping)
        finally:
            await _end(flushing, stopping)
            self._metrics.flush()

    async def _listen(self, positions: dict[str, int], stopping: asyncio.Task) -> None:
        publisher = Publisher(
            self._settings, self._kinesis, self._metrics, positions, self._lease.held
        )
        node = Node(self._settings.node_url)
        subscription = Subscription(self._settings, node, publisher, self._metrics)
        listening = asyncio.create_task(subscription.run())
        publishing = asyncio.create_task(publisher.run())
        keeping = asyncio.create_task(self._lease.keep(publisher.positions))
        self._metrics.active = True
        try:
            await asyncio.wait(
                {listening, publishing, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED
            )
            await _end(listening)
            if stopping.done() and not keeping.done():
                await self._drain(publisher)
                await _end(keeping)
                await self._give_back(publisher)
            await _end(keeping, publishing)
        except LeaseLost:
            self._log.warning("lease_lost")
        finally:
            for task in (listening, publishing, keeping):
                task.cancel()
            await asyncio.gather(listening, publishing, keeping, return_exceptions=True)
            self._metrics.active = False
            self._metrics.backlog = 0
            await node.close()

    async def _drain(self, publisher: Publisher) -> None:
        self._log.info("draining", backlog=self._metrics.backlog)
        try:
            async with asyncio.timeout(self._settings.drain_timeout):
                await publisher.drained()
        except TimeoutError:
            # Not lost: the position lies before it, so the next one pages it.
            self._log.warning("not_drained", backlog=self._metrics.backlog)

    async def _give_back(self, publisher: Publisher) -> None:
        try:
            await self._lease.release(publisher.positions)
        except FAILED as error:
            self._log.warning("not_given_back", reason=str(error))

    async def _keep_flushing(self) -> None:
        while True:
            await asyncio.sleep(self._settings.metrics_seconds)
            self._metrics.flush()


async def _end(*tasks: asyncio.Task) -> None:
    """Cancels tasks and waits for them; raises what one of them had ended with before."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)  # not each by `await`: who waits may be cancelled too
    for task in tasks:
        if not task.cancelled():
            task.result()


async def serve(settings: Settings) -> None:
    """Listen until SIGTERM or SIGINT."""
    threads = ThreadPoolExecutor(8)
    service = Service(settings, Client("kinesis", threads), Client("dynamodb", threads))
    server = create_server(settings.port, settings.revision, service.state)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    serving = asyncio.create_task(server.serve())
    try:
        await service.run()
    finally:
        server.should_exit = True
        await serving
        threads.shutdown(wait=False, cancel_futures=True)
