"""Configuration: environment variables only, checked once, before anything else starts."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

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

    port: int = Field(8080, ge=1, le=65535, description="Give the port to listen on.")
    root_path: str = Field(
        "/api/trading",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Give the path that the load balancer sends here, such as /api/trading.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Use debug, info, warning or error."
    )
    revision: str = Field("unreleased", description="The git revision the image was built from.")

    database_host: str = Field(min_length=1, description="Name the PostgreSQL server's address.")
    database_port: int = Field(5432, ge=1, le=65535, description="Give PostgreSQL's port.")
    database_name: str = Field(min_length=1, description="Name the database.")
    database_read_host: str = Field(
        "", description="Name the read replica's address, or nothing to read from the primary."
    )
    database_user: str = Field("", description="Give the user out of the secret.")
    database_password: SecretStr = Field(
        SecretStr(""), description="Give the password out of the secret."
    )
    database_secret_arn: str = Field(
        "",
        pattern=r"^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+)?$",
        description="Give the ARN of the secret with username and password, which is then read "
        "at start and again whenever the database refuses them.",
    )
    database_ssl: Literal["require", "disable"] = Field(
        "require", description="Use require, or disable where the server speaks no TLS."
    )
    database_pool_min: int = Field(2, ge=0, description="Connections kept open by one task.")
    database_pool_max: int = Field(
        10, ge=1, le=500, description="Most connections that one task may open."
    )
    database_acquire_timeout: Seconds = Field(
        2.0, description="Longest wait for a free connection."
    )
    database_command_timeout: Seconds = Field(5.0, description="Longest wait for one statement.")
    database_connect_timeout: Seconds = Field(
        5.0, description="Longest wait for a connection while starting."
    )

    redis_url: SecretStr = Field(
        description="Use redis://host:port/0, or rediss://host:port/0 where the cache has TLS."
    )
    redis_connect_timeout: Seconds = Field(1.0, description="Longest wait to connect to Redis.")
    redis_timeout: Seconds = Field(
        0.25, description="Longest time that one read may spend on Redis before the database."
    )
    redis_pool_max: int = Field(16, ge=1, le=500, description="Most connections to Redis.")
    cache_ttl: int = Field(30, ge=1, le=86400, description="Life of a cached read in Redis.")
    cache_memory_ttl: float = Field(
        0.2, ge=0, le=60, description="Life of a cached read in the task's own memory; 0 for none."
    )
    price_stale_seconds: Seconds = Field(15.0, description="Age from which a price is stale.")

    requests_max: int = Field(
        256, ge=1, le=10000, description="Most requests under way in one task; more are refused."
    )
    body_bytes_max: int = Field(
        16384, ge=256, le=10_000_000, description="Largest body of a request, in bytes."
    )
    receive_timeout: Seconds = Field(
        10.0, description="Longest wait for a request's headers, and for its body."
    )
    metrics_seconds: Seconds = Field(60.0, description="Time between two lines of metrics.")

    startup_timeout: Seconds = Field(60.0, description="Longest wait for the database at start.")
    drain_delay: float = Field(
        2.0, ge=0, le=300, description="Time between saying 'not ready' and closing the door."
    )
    drain_timeout: Seconds = Field(20.0, description="Longest wait for requests under way.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("root_path", mode="before")
    @classmethod
    def _no_trailing_slash(cls, value: Any) -> Any:
        return value.rstrip("/") if isinstance(value, str) else value

    @field_validator("redis_url")
    @classmethod
    def _usable_redis_url(cls, value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            port = parts.port
        except ValueError as error:
            raise ValueError("it is not an address") from error
        if parts.scheme not in ("redis", "rediss"):
            raise ValueError(f"its scheme is {parts.scheme!r}")
        if not parts.hostname or port == 0:
            raise ValueError("it names no host")
        if not re.fullmatch(r"(/\d*)?", parts.path):
            raise ValueError(f"its database {parts.path[1:]!r} is not a number")
        if parts.query or parts.fragment:
            # redis-py takes options from there, among them ssl_cert_reqs=none.
            raise ValueError("it has options after the database number")
        return value

    @model_validator(mode="after")
    def _pool_bounds(self) -> "Settings":
        if self.database_pool_min > self.database_pool_max:
            raise ValueError(
                f"DATABASE_POOL_MIN={self.database_pool_min} is more than "
                f"DATABASE_POOL_MAX={self.database_pool_max}. Lower the first or raise the second."
            )
        return self

    @model_validator(mode="after")
    def _login(self) -> "Settings":
        if self.database_secret_arn:
            return self
        absent = [
            f"{name.upper()} is not set. {Settings.model_fields[name].description}"
            for name, value in (
                ("database_user", self.database_user),
                ("database_password", self.database_password.get_secret_value()),
            )
            if not value
        ]
        if absent:
            raise ValueError("\n".join(absent))
        return self

    def secrets(self) -> list[str]:
        """Every text that must not reach a log, in the forms in which it could appear."""
        password = self.database_password.get_secret_value()
        url = self.redis_url.get_secret_value()
        found = {password, quote(password, safe="")}
        if (redis_password := urlsplit(url).password) is not None:
            found |= {url, redis_password}
        return sorted((text for text in found if text), key=len, reverse=True)

    def database_arguments(self) -> dict[str, Any]:
        """Arguments of `asyncpg.connect` that say where, and who as far as the environment does."""
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
