"""One line of JSON per event on stdout, with request, trace and span ids, and never a secret."""

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


class _Redactor:
    """Renders an event as JSON and blanks known secrets, wherever in it they turned up."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._render = structlog.processors.JSONRenderer(default=str)
        # A secret with quotes or backslashes looks different once it is JSON.
        self._hidden = [json.dumps(secret)[1:-1] for secret in secrets]

    def hide(self, secrets: Iterable[str]) -> None:
        """Blank these as well from now on."""
        self._hidden += [json.dumps(secret)[1:-1] for secret in secrets]
        self._hidden.sort(key=len, reverse=True)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        line = str(self._render(logger, method, event))
        for secret in self._hidden:
            line = line.replace(secret, "***")
        return line


_renders: list[_Redactor] = []


def hide(*secrets: str) -> None:
    """Keep secrets that became known after the start out of the log."""
    for render in _renders:
        render.hide(secrets)


def configure(level: str, revision: str, secrets: Iterable[str] = ()) -> None:
    """Send structlog's and the standard library's events to stdout in one form."""

    def origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", "trading_api")
        event.setdefault("revision", revision)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        origin,
        # Locals of a frame may hold settings and request bodies.
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
    ]
    render = _Redactor(secrets)
    _renders[:] = [render]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:-1],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                shared[-1],
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries' own chatter at debug would name every statement and its arguments.
    root.setLevel(max(number, logging.INFO))
    logging.getLogger("alembic").setLevel(logging.WARNING)


def get(**context: Any) -> Any:
    """A logger; `context` is in each of its events."""
    return structlog.get_logger(**context)
