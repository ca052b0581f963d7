"""Configuration: environment variables only, checked once, before anything else starts."""

import re
import socket
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0, le=600)]


class ConfigurationError(Exception):
    """A setting that a person must mend; the text says which, why and how."""


class Settings(BaseSettings):
    """What the service is told at start. Each field is the variable of the same name.

    A description is the cure that an error message ends with. Times are in seconds.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    port: int = Field(8080, ge=1, le=65535, description="Give the port of /health and /ready.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Use debug, info, warning or error."
    )
    revision: str = Field("unreleased", description="The git revision the image was built from.")

    node_url: str = Field(
        pattern=r"^https?://[^\s]+$",
        description="Give the nodes' RPC address, as http://host:port.",
    )
    node_websocket_url: str = Field(
        pattern=r"^wss?://[^\s]+$", description="Give the nodes' WebSocket, as ws://host:port."
    )
    accounts: Annotated[tuple[str, ...], NoDecode] = Field(
        min_length=1, description="Name the programs and accounts to follow, comma-separated."
    )
    stream_name: str = Field(min_length=1, description="Name the stream of events.")
    lease_table: str = Field(min_length=1, description="Name the DynamoDB table of leases.")
    lease_key: str = Field(
        "listener", min_length=1, description="Name the row of that table; not as a shard's."
    )
    worker_id: str = Field(
        default_factory=socket.gethostname, min_length=1, description="Name of this listener."
    )
    lease_seconds: float = Field(
        10.0, ge=1, le=300, description="How long the active listener may be silent."
    )
    queue_max: int = Field(
        10000, ge=1, le=1000000, description="Most events that wait to be published."
    )
    stall_seconds: Seconds = Field(
        20.0, description="How long a full queue may hold up the socket before it is closed."
    )
    audit_seconds: Seconds = Field(
        30.0, description="Time between looks for what the subscription left out."
    )
    replay_slots: int = Field(
        32, ge=0, le=10000, description="Slots before the position that are looked at again."
    )
    silence_seconds: Seconds = Field(
        10.0, description="How long a node may tell of no slot before another is asked."
    )
    reconnect_seconds: Seconds = Field(0.5, description="First pause before connecting again.")
    publish_slots: bool = Field(True, description="Use true to publish slots too, else false.")
    trace_sample: float = Field(
        0.01, ge=0, le=1, description="Share of the events that are logged one by one, 0 to 1."
    )
    retry_seconds: Seconds = Field(0.1, description="First pause before records are put again.")
    retry_seconds_max: Seconds = Field(5.0, description="Longest such pause.")
    drain_timeout: Seconds = Field(20.0, description="Longest wait for what is to be published.")
    metrics_seconds: Seconds = Field(10.0, description="Time between lines of metrics.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("accounts", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(dict.fromkeys(word for part in value.split(",") if (word := part.strip())))

    @field_validator("lease_key")
    @classmethod
    def _no_shard(cls, value: str) -> str:
        if value.startswith("shardId-"):
            raise ValueError("consumers would take it for the lease of a shard")
        return value

    @field_validator("accounts")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not re.fullmatch(r"[1-9A-HJ-NP-Za-km-z]{32,44}", one):
                raise ValueError(f"{one!r} is no address in base58")
        return value


def load() -> Settings:
    """Read the environment.

    Raises ConfigurationError with one sentence per wrong variable: its value,
    the reason and the cure.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError("\n".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for problem in error.errors(include_url=False, include_input=True):
        if not problem["loc"]:
            sentences.append(problem["msg"].removeprefix("Value error, "))
            continue
        name = str(problem["loc"][0])
        field = Settings.model_fields[name]
        if problem["type"] == "missing":
            sentences.append(f"{name.upper()} is not set. {field.description}")
            continue
        reason = problem["msg"].removeprefix("Value error, ")
        reason = reason[0].lower() + reason[1:]
        shown = f"={problem['input']}"
        sentences.append(f"{name.upper()}{shown} can't be used: {reason}. {field.description}")
    return sentences
