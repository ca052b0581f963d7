"""What a record of the stream is, as the listener publishes it (apps/listener, envelope.py)."""

import json
import re
import secrets
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]
_TRACEPARENT = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


def _fields(traceparent: str) -> dict[str, str]:
    _, trace_id, parent_id, _ = traceparent.split("-")
    return {"trace_id": trace_id, "parent_id": parent_id, "span_id": secrets.token_hex(8)}


class Poison(Exception):
    """A record that no further try mends as things are; the text says why, without its content."""


class Envelope(BaseModel):
    """One event. `id` is the same however often it is published; order holds within a `key`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1]
    id: Text
    source: Text
    type: Text
    key: Text
    slot: int = Field(ge=0, lt=2**63)
    time: AwareDatetime
    traceparent: str = Field(pattern=_TRACEPARENT)
    payload: dict[str, Any]

    @property
    def trace(self) -> dict[str, str]:
        """The fields that tie a log line to the event's trace, in a span of the line's own."""
        return _fields(self.traceparent)


@dataclass(frozen=True)
class Record:
    """A record of a shard, in bytes."""

    shard: str
    sequence: str
    key: str
    data: bytes


def trace_of(record: Record) -> dict[str, str]:
    """As `Envelope.trace`, of a record that may be no event; empty where it names no trace."""
    try:
        named = json.loads(record.data)["traceparent"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    known = isinstance(named, str) and re.fullmatch(_TRACEPARENT, named)
    return _fields(named) if known else {}


def read(record: Record, types: frozenset[str]) -> Envelope:
    """The event in a record.

    Raises Poison: it is none, or of a type that isn't applied.
    """
    try:
        event = Envelope.model_validate_json(record.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the record"
        raise Poison(f"invalid: {where}: {first['msg'].split(':')[0]}") from None
    if event.key != record.key:
        raise Poison("invalid: the event's key is not the record's partition key")
    if event.type not in types:
        raise Poison(f"unknown type {event.type!r}: EVENT_TYPES has {', '.join(sorted(types))}")
    return event
