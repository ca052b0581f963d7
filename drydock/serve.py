"""The one process of an embedded cloud: gateway and controllers."""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from drydock import controllers, lifecycle
from drydock.audit import Audit
from drydock.controller import Cloud, Controller
from drydock.controllers.faults import FaultController
from drydock.gateway import Gateway, serve
from drydock.moto import patches
from drydock.podman import Podman, read_events
from drydock.settings import Settings

log = logging.getLogger("drydock")


def _watch(podman: Podman, loops: list[Controller], ended: threading.Event) -> None:
    """Wakes the controllers whenever a part starts or dies.

    The stream ends with this process (see Podman.events), so nothing here has to end it.
    """
    while not ended.is_set():
        try:
            process = podman.events()
            for event in read_events(process):
                if event.get("Status") in ("died", "start", "remove"):
                    for loop in loops:
                        loop.wake()
            log.warning("podman's events ended (exit %s); asked for again", process.wait())
        except OSError:
            log.exception("podman's events can't be read")
        ended.wait(5)


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; then ends the controllers and leaves the parts to
    ``lifecycle.down``.

    Raises:
        DrydockError: another gateway holds this home.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    with lifecycle.hold(settings):
        patches.apply()
        podman = Podman(settings)
        cloud = Cloud(settings, podman)
        loops = controllers.all_of(cloud)
        loops.append(FaultController(cloud, lambda: status()))
        ended = threading.Event()
        started = time.time()

        def status() -> dict:
            shown: dict[str, object] = {
                "ready": True,
                "aws_endpoint": settings.endpoint,
                "region": settings.region,
                "account_id": settings.account_id,
                "registry": settings.registry,
                "home": str(settings.home),
                "pid": os.getpid(),
                "uptime_seconds": round(time.time() - started, 1),
            }
            for loop in loops:
                shown.update(loop.status())
            return shown

        operations = {key: call for loop in loops for key, call in loop.operations().items()}
        operations.update(patches.operations())
        commands = {name: act for loop in loops for name, act in loop.commands().items()}
        audit = Audit(settings.audit)
        application = Gateway(audit, operations, {"status": status}, commands)
        server = serve(application, settings.port)

        def answer_at(address: str) -> Callable[[], None]:
            other = serve(application, settings.port, address)
            threading.Thread(target=other.serve_forever, daemon=True).start()
            return other.shutdown

        cloud.answer_at = answer_at
        settings.path("cloud.json").write_text(json.dumps({"pid": os.getpid()}))
        for loop in loops:
            loop.start()
        threading.Thread(target=_watch, args=(podman, loops, ended), daemon=True).start()

        def stop(*_: object) -> None:
            ended.set()
            threading.Thread(target=server.shutdown, daemon=True).start()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        log.info("serving at %s", settings.endpoint)
        server.serve_forever(poll_interval=0.2)
        for loop in loops:
            loop.end()
        for loop in loops:
            loop.join(timeout=10)
        log.info("ended")
