"""What every controller is: a loop from the state the API asks for to the parts that run."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from drydock.metrics import Metrics
from drydock.moto.api import Handler
from drydock.network import Networks
from drydock.podman import Podman
from drydock.settings import Settings
from drydock.tls import Authority


class Cloud:
    """What controllers share: settings, podman, addresses, certificates, metrics.

    Controllers know neither each other nor who called them; they meet only in the API's
    state (``drydock.moto``).
    """

    def __init__(self, settings: Settings, podman: Podman):
        self.settings, self.podman = settings, podman
        self.networks = Networks(podman)
        self.authority = Authority(settings.folder("ca"))
        self.metrics = Metrics()
        # Set by who runs the gateway: it answers at an address too, until the result is called.
        self.answer_at: Callable[[str], Callable[[], None]] | None = None


class Controller:
    """One AWS service's other half.

    A subclass sets ``name`` and writes :meth:`reconcile`; it may answer API calls itself
    (:meth:`operations`) and report (:meth:`status`).

    Attributes:
        interval: seconds between two passes when nothing happens; ``wake`` cuts it short.
    """

    name = "controller"
    interval = 1.0

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self.log = logging.getLogger(f"drydock.{self.name}")
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._last_error = ""
        # Held, not inherited: a Thread has private methods that a subclass would shadow.
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def reconcile(self) -> None:
        """One pass from what is asked for to what runs.

        Must be safe to repeat and to interrupt; an exception is logged and the pass is
        tried again later.
        """
        raise NotImplementedError

    def operations(self) -> Mapping[tuple[str, str], Handler]:
        """API calls answered here instead of by moto: (botocore service, action) → handler."""
        return {}

    def status(self) -> Mapping[str, object]:
        """What ``drydock status`` shows: top-level keys to JSON-able values."""
        return {}

    def commands(self) -> Mapping[str, Callable[[dict[str, Any]], object]]:
        """What is asked of the cloud itself: the name below ``/_drydock/`` that is posted to
        → a function from the JSON given to the JSON answered; DrydockError refuses."""
        return {}

    def wake(self) -> None:
        """Asks for a pass now: something has happened."""
        self._wake.set()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Asks the loop to end after the pass it is in."""
        self._ended.set()
        self._wake.set()

    def join(self, timeout: float) -> None:
        """Waits for the loop's end, at most ``timeout`` seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            try:
                self.reconcile()
                self._last_error = ""
            except Exception as error:
                # Said once, not at every pass: a fault that lasts would drown the log.
                if str(error) != self._last_error:
                    self.log.exception("pass failed; it will be tried again")
                self._last_error = str(error)
            self._wake.wait(self.interval)
