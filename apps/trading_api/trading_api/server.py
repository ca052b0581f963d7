"""uvicorn, with a stop that no client notices."""

import time
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from trading_api import logs
from trading_api.frame import Lifecycle
from trading_api.protocol import BoundedHttp
from trading_api.settings import Settings


class DrainingServer(uvicorn.Server):
    """On the first signal it says "not ready", then closes the door, then finishes.

    1. At once: /ready answers 503 and answers close their connections.
    2. After DRAIN_DELAY: no new connection; requests under way go on.
    3. When they are done, or after DRAIN_TIMEOUT: the pools close, exit code 0.

    A second signal skips the wait of step 1.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, delay: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._delay = delay
        self._closes_at: float | None = None
        self._log = logs.get(component="server")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the signal. Doesn't note it, as uvicorn would, to die of it at the end."""
        if self._closes_at is not None or not self.started:
            self.should_exit = True
            return
        self._lifecycle.draining = True
        self._closes_at = time.monotonic() + self._delay
        self._log.info("draining", signal=sig, seconds=self._delay)

    async def on_tick(self, counter: int) -> bool:
        """Asked by uvicorn ten times a second: is it time to stop?"""
        if self._closes_at is not None and time.monotonic() >= self._closes_at:
            self.should_exit = True
        return await super().on_tick(counter)


def serve(app: ASGIApp, lifecycle: Lifecycle, settings: Settings) -> None:
    """Serve until a signal ends it."""
    http = type("Http", (BoundedHttp,), {"seconds": settings.receive_timeout})
    config = uvicorn.Config(
        app,
        http=http,
        host="0.0.0.0",  # noqa: S104 - a container's only way to be reached
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        # Longer than the load balancer's idle time-out (60 s): the side that closes
        # an idle connection must be the one that sends requests on it.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=round(settings.drain_timeout) or 1,
    )
    DrainingServer(config, lifecycle, settings.drain_delay).run()
