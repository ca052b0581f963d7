"""One trace: what names it, and its lines in the workloads' logs as one time line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.drydock.ops.plugins.module_utils.redaction import redact
from ansible_collections.drydock.ops.plugins.module_utils.runs import moment

# 32 hex digits; X-Ray's spelling of them; W3C's traceparent
# (https://www.w3.org/TR/trace-context/, which also rules out what is all zeros).
_NAMED = re.compile(
    r"(?P<plain>[0-9a-f]{32})"
    r"|1-(?P<time>[0-9a-f]{8})-(?P<rest>[0-9a-f]{24})"
    r"|(?!ff)[0-9a-f]{2}-(?P<called>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}"
)
MOST_MINUTES = 1440
# What each line says by its columns, or what is the same in all lines of a workload.
_SAID = {
    "event", "timestamp", "level", "service", "revision", "component", "worker", "request_id",
    "trace_id", "span_id", "parent_id", "method", "path", "status", "duration_ms", "duration_s",
    "bytes", "client", "forwarded_for", "user_agent", "exception", "_aws",
}  # fmt: skip


def trace_id(text: str) -> str:
    """Return the 32 hex digits that a text names a trace by. Raises ValueError with a sentence."""
    found = _NAMED.fullmatch(text.strip().lower())
    named = ""
    if found:
        named = found["plain"] or found["called"] or f"{found['time']}{found['rest']}"
    if not named.strip("0"):
        raise ValueError(
            f"trace_id is {redact(text)!r}, which names no trace: give 32 hex digits, X-Ray's form "
            "(1-5759e988-bd862e3fe1be46a994272793) or a whole traceparent "
            "(00-<32 hex digits>-<16>-<2>), as logs and headers show them. Nothing was changed."
        )
    return named


def minutes(text: str) -> int:
    """Return how far to look back. Raises ValueError with a sentence."""
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text.strip()) or int(text) > MOST_MINUTES:
        raise ValueError(
            f"trace_minutes is {text!r}: give how many minutes to look back, a whole number "
            f"from 1 to {MOST_MINUTES}. Nothing was changed."
        )
    return int(text)


@dataclass(frozen=True)
class Line:
    """One line of a trace.

    Attributes:
        at: seconds since the epoch.
        task: the task's id, cut to eight letters.
        text: what happened, with what it was about.
    """

    at: float
    workload: str
    task: str
    span: str
    parent: str
    level: str
    text: str


def _moment(own: Any, noted: float) -> float:
    """When it was: as the line says to the part of a second, else when it was taken up."""
    try:
        found = datetime.fromisoformat(str(own))
    except ValueError:
        return noted
    return found.timestamp() if "." in str(own) and found.tzinfo else noted


def _raised(exception: Any) -> str:
    """Return an exception as structlog (a list of them) or pino writes it, in a few words."""
    first = exception[0] if isinstance(exception, list) and exception else exception
    if isinstance(first, dict):
        return f"{first.get('exc_type', '')}: {first.get('exc_value', '')}"
    return str(first).strip().rpartition("\n")[2]


def _text(fields: Mapping[str, Any]) -> str:
    words = [str(fields.get("event", ""))]
    if fields.get("method"):
        words.append(f"{fields['method']} {fields.get('path', '')}")
    if fields.get("status") is not None:
        words.append(str(fields["status"]))
    if fields.get("duration_ms") is not None:
        words.append(f"in {fields['duration_ms']} ms")
    elif fields.get("duration_s") is not None:
        words.append(f"in {float(fields['duration_s']) * 1000:g} ms")
    words += [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in fields.items()
        if name not in _SAID
    ]
    if fields.get("exception"):
        words.append(_raised(fields["exception"]))
    return redact(" ".join(words))


def line_of(trace: str, workload: str, event: Mapping[str, Any]) -> Line | None:
    """Return what an event of CloudWatch Logs tells of a trace; None if it is of another."""
    try:
        fields = json.loads(event["message"])
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.get("trace_id") != trace:
        return None
    return Line(
        at=_moment(fields.get("timestamp"), event["timestamp"] / 1000),
        workload=workload,
        task=event["logStreamName"].rpartition("/")[2][:8],
        span=str(fields.get("span_id", "")),
        parent=str(fields.get("parent_id", "")),
        level=str(fields.get("level", "")),
        text=_text(fields),
    )


def time_line(lines: Sequence[Line]) -> list[str]:
    """Return the lines as a table, the oldest first, under a line of headings."""
    rows = [("time", "service", "task", "span", "called by", "level", "what")]
    rows += [
        (moment(one.at), one.workload, one.task, one.span, one.parent, one.level, one.text)
        for one in sorted(lines, key=lambda one: (one.at, one.workload))
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def found_sentence(trace: str, lines: Sequence[Line]) -> str:
    """Return who had the trace, and from when to when."""
    workloads = list(dict.fromkeys(one.workload for one in sorted(lines, key=lambda one: one.at)))
    begun, ended = min(one.at for one in lines), max(one.at for one in lines)
    many = f"{len(lines)} line{'s' if len(lines) > 1 else ''}"
    return (
        f"Trace {trace}: {many} of {', '.join(workloads)}, from {moment(begun)} to {moment(ended)}."
    )


def nothing_sentence(trace: str, groups: Sequence[str], begin: float, end: float) -> str:
    """Return that nothing was found, where that was looked for, and what may be the reason.

    begin, end: of the window, in seconds since the epoch.
    """
    where = f"in {', '.join(groups)}" if groups else "in no log group, for there is none"
    said = f"No line of trace {trace} was found {where}, from {moment(begin)} to {moment(end)}."
    # X-Ray's ids begin with their time; other ids hardly ever do with one of the last days.
    begun = int(trace[:8], 16)
    if end - MOST_MINUTES * 60 < begun < begin:
        back = int((end - begun) // 60) + 1
        return f"{said} By its id it began at {moment(begun)}: look back with trace_minutes={back}."
    return (
        f"{said} It may be older (trace_minutes, up to {MOST_MINUTES}), or have left no line: "
        "requests for health and events whose trace is not sampled are not logged."
    )
