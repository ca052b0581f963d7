"""One line of JSON per event on stdout, with request, trace and span ids, and never a secret."""

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from market_data.tracing import Span


class _Redactor:
    """Renders an event as JSON and blanks known secrets, wherever in it they turned up."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._render = structlog.processors.JSONRenderer(default=str)
        # A secret with quotes or backslashes looks different once it is JSON.
        self._hidden = [json.dumps(secret)[1:-1] for secret in secrets]

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        line = str(self._render(logger, method, event))
        for secret in self._hidden:
            line = line.replace(secret, "***")
        return line


def configure(level: str, revision: str, secrets: Iterable[str] = ()) -> None:
    """Send structlog's and the standard library's events to stdout in one form."""

    def origin(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", "market_data")
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


def get(**context: Any) -> Any:
    """A logger; `context` is in each of its events."""
    return structlog.get_logger(**context)


def event(log: Any, what: str, envelope: dict[str, Any], **more: Any) -> None:
    """A line about one event of the stream, in a span of its own, if its trace is sampled.

    `envelope`: as the listener publishes it (apps/listener, envelope.py).
    """
    caller = Span.of(str(envelope.get("traceparent", "")), "")
    # An event without a valid trace has none to be found by.
    if caller.parent_id and caller.sampled:
        log.info(what, **caller.fields(), id=envelope.get("id"), **more)
