"""Configuration: environment variables only, checked once, before anything else starts."""

import re
import socket
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0, le=600)]
Decimals = Annotated[int, Field(ge=0, le=18)]


class ConfigurationError(Exception):
    """A setting that a person must mend; the text says which, why and how."""


class Pool(BaseModel):
    """A pool of Raydium's AMM v4: which market it is, and the decimals of its two tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str = Field(pattern=r"^[A-Z0-9]{1,15}-[A-Z0-9]{1,15}$")
    base_decimals: Decimals
    quote_decimals: Decimals


class Settings(BaseSettings):
    """What the service is told at start. Each field is the variable of the same name.

    A description is the cure that an error message ends with. Times are in seconds.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    port: int = Field(8080, ge=1, le=65535, description="Give the port to listen on.")
    root_path: str = Field(
        "/api/market",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Give the path that the load balancer sends here, such as /api/market.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Use debug, info, warning or error."
    )
    revision: str = Field("unreleased", description="The git revision the image was built from.")

    stream_name: str = Field(min_length=1, description="Name the stream of events.")
    pools: Annotated[dict[str, Pool], NoDecode] = Field(
        min_length=1,
        description='Give JSON: pool to market, such as {"58oQ…": {"symbol": "SOL-USD", '
        '"base_decimals": 9, "quote_decimals": 6}}.',
    )
    redis_url: SecretStr = Field(
        description="Use redis://host:port/0, or rediss://host:port/0 where the cache has TLS."
    )
    redis_connect_timeout: Seconds = Field(1.0, description="Longest wait to connect to Redis.")
    redis_timeout: Seconds = Field(0.5, description="Longest wait for one answer of Redis.")
    worker_id: str = Field(
        default_factory=socket.gethostname, min_length=1, description="Name of this task."
    )
    reader_seconds: float = Field(
        10.0, ge=1, le=300, description="How long the task that reads may be silent."
    )
    poll_seconds: float = Field(
        1.0, ge=0.2, le=60, description="Time between reads of a shard; Kinesis allows 5 a second."
    )
    batch: int = Field(1000, ge=1, le=10000, description="Most records of one read.")
    price_seconds: int = Field(
        86400, ge=1, le=10**7, description="How long a price is kept after the last trade."
    )
    clients_max: int = Field(500, ge=1, le=100000, description="Feeds that one task serves.")
    keepalive_seconds: Seconds = Field(15.0, description="Longest silence on a feed.")
    metrics_seconds: Seconds = Field(10.0, description="Time between two lines of metrics.")
    drain_delay: float = Field(
        2.0, ge=0, le=300, description="Time between saying 'not ready' and closing the door."
    )
    drain_timeout: Seconds = Field(20.0, description="Longest wait for requests under way.")

    @field_validator("pools", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if not isinstance(value, str | bytes):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"it is not JSON ({error})") from error

    @field_validator("pools")
    @classmethod
    def _one_pool_each(cls, value: dict[str, Pool]) -> dict[str, Pool]:
        symbols = [pool.symbol for pool in value.values()]
        if twice := sorted({one for one in symbols if symbols.count(one) > 1}):
            raise ValueError(f"two pools are of {', '.join(twice)}, so its price would alternate")
        return value

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
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError("it is no address of a Redis")
        if not re.fullmatch(r"(/\d*)?", parts.path):
            raise ValueError(f"its database {parts.path[1:]!r} is not a number")
        if parts.query or parts.fragment:
            # redis-py takes options from there, among them ssl_cert_reqs=none.
            raise ValueError("it has options after the database number")
        return value

    def secrets(self) -> list[str]:
        """Every text that must not reach a log, in the forms in which it could appear."""
        password = urlsplit(self.redis_url.get_secret_value()).password or ""
        return sorted({password, quote(password, safe="")} - {""}, key=len, reverse=True)


def load() -> Settings:
    """Read the environment.

    Raises ConfigurationError with one sentence per wrong variable: its name,
    the reason and the cure.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError("\n".join(_sentences(error))) from None


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for problem in error.errors(include_url=False, include_input=True):
        name = str(problem["loc"][0])
        field = Settings.model_fields[name]
        if problem["type"] == "missing" and len(problem["loc"]) == 1:
            sentences.append(f"{name.upper()} is not set. {field.description}")
            continue
        reason = problem["msg"].removeprefix("Value error, ")
        reason = reason[0].lower() + reason[1:]
        where = "".join(f" {part}:" for part in problem["loc"][1:])
        # Whole addresses of Redis hold its password.
        shown = "" if field.annotation is SecretStr or where else f"={problem['input']}"
        sentences.append(
            f"{name.upper()}{shown} can't be used:{where} {reason}. {field.description}"
        )
    return sentences
