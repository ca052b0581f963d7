"""Configuration: environment variables only, checked once, before anything else starts."""

import socket
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError, field_validator
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

    stream_name: str = Field(min_length=1, description="Name the stream of events.")
    lease_table: str = Field(min_length=1, description="Name the DynamoDB table of leases.")
    dead_letter_queue_url: str = Field(
        min_length=1, description="Give the address of the queue of dead letters."
    )
    worker_id: str = Field(
        default_factory=socket.gethostname, min_length=1, description="Name of this worker."
    )
    lease_seconds: float = Field(
        10.0, ge=1, le=300, description="How long a worker may be silent and keep its shards."
    )
    shards_seconds: Seconds = Field(20.0, description="Time between looks for new shards.")
    poll_seconds: float = Field(
        0.25, ge=0.2, le=60, description="Time between reads of a shard; Kinesis allows 5 a second."
    )
    batch: int = Field(500, ge=1, le=10000, description="Most records of one read.")
    event_types: Annotated[frozenset[str], NoDecode] = Field(
        frozenset({"logs", "slot"}), description="Name the types that are applied, comma-separated."
    )
    attempts: int = Field(
        5, ge=1, le=100, description="Tries of a record that fails for no known reason."
    )
    retry_seconds: Seconds = Field(0.2, description="First pause before a batch is tried again.")
    retry_seconds_max: Seconds = Field(10.0, description="Longest such pause.")

    database_host: str = Field(min_length=1, description="Name the PostgreSQL server's address.")
    database_port: int = Field(5432, ge=1, le=65535, description="Give PostgreSQL's port.")
    database_name: str = Field(min_length=1, description="Name the database.")
    database_user: str = Field(min_length=1, description="Give the user out of the secret.")
    database_password: SecretStr = Field(
        min_length=1, description="Give the password out of the secret."
    )
    database_ssl: Literal["require", "disable"] = Field(
        "require", description="Use require, or disable where the server speaks no TLS."
    )
    database_pool_max: int = Field(
        8, ge=1, le=500, description="Most connections that one task may open."
    )
    database_command_timeout: Seconds = Field(10.0, description="Longest wait for one statement.")
    database_connect_timeout: Seconds = Field(5.0, description="Longest wait for a connection.")

    startup_timeout: Seconds = Field(60.0, description="Longest wait for the database at start.")
    drain_timeout: Seconds = Field(20.0, description="Longest wait for batches under way.")
    metrics_seconds: Seconds = Field(10.0, description="Time between lines of metrics.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("event_types", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return frozenset(word for part in value.split(",") if (word := part.strip()))

    def secrets(self) -> list[str]:
        """Every text that must not reach a log, in the forms in which it could appear."""
        password = self.database_password.get_secret_value()
        return sorted({password, quote(password, safe="")}, key=len, reverse=True)

    def database_arguments(self) -> dict[str, Any]:
        """Arguments of `asyncpg.connect` and `asyncpg.create_pool` that say where and who."""
        return {
            "host": self.database_host,
            "port": self.database_port,
            "database": self.database_name,
            "user": self.database_user,
            "password": self.database_password.get_secret_value(),
            "ssl": self.database_ssl,
        }


def load() -> Settings:
    """Read the environment.

    Raises ConfigurationError with one sentence per wrong variable: its value
    (unless it may hold a secret), the reason and the cure.
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
        shown = "" if field.annotation is SecretStr else f"={problem['input']}"
        sentences.append(f"{name.upper()}{shown} can't be used: {reason}. {field.description}")
    return sentences
