"""Which trace a request belongs to: W3C's trace context, with ids that X-Ray takes.

Ids and headers are those of OpenTelemetry, without its SDK, which costs a sixth of what a hot
read does (docs/decisions.md, 47).
"""

import re
import secrets
import time
from typing import NamedTuple, Self

# https://www.w3.org/TR/trace-context/: version 00 ends with its flags, ids of zeros are none.
_TRACEPARENT = re.compile(
    r"(?!ff|00-.{52}-)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
    r"(?:-.*)?"
)
# What an Application Load Balancer adds; its Root is a trace's 128 bits in X-Ray's spelling.
_ROOT = re.compile(r"(?:^|;)\s*Root=1-([0-9a-f]{8})-([0-9a-f]{24})(?:;|$)")
_PARENT = re.compile(r"(?:^|;)\s*Parent=([0-9a-f]{16})(?:;|$)")


class Span(NamedTuple):
    """One piece of work within a trace; ids in hex digits."""

    trace_id: str
    span_id: str
    parent_id: str = ""

    @classmethod
    def of(cls, traceparent: str, amazon: str) -> Self:
        """A span of the trace that the caller's headers name (empty: none), else of a new one.

        Args:
            traceparent: W3C's header, which comes first.
            amazon: `X-Amzn-Trace-Id`.
        """
        span_id = secrets.token_hex(8)
        if traceparent and (found := _TRACEPARENT.fullmatch(traceparent)):
            return cls(found[1], span_id, found[2])
        if amazon and (found := _ROOT.search(amazon)):
            parent = _PARENT.search(amazon)
            return cls(found[1] + found[2], span_id, parent[1] if parent else "")
        # X-Ray refuses a trace whose first 32 bits are not its time.
        return cls(f"{int(time.time()):08x}{secrets.token_hex(12)}", span_id)

    def fields(self) -> dict[str, str]:
        """What ties a log line to it."""
        named = {"trace_id": self.trace_id, "span_id": self.span_id}
        return {**named, "parent_id": self.parent_id} if self.parent_id else named
