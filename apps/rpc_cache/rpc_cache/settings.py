"""Configuration: environment variables only, checked once, before anything else starts."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rpc_cache.methods import RULES

Seconds = Annotated[float, Field(gt=0, le=600)]
Rate = Annotated[float, Field(gt=0, le=1e6)]
_JSON_FIELDS = ("method_ttls", "method_limits", "caller_limits", "caller_keys")


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
        "/rpc",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Give the path that the load balancer sends here, such as /rpc.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Use debug, info, warning or error."
    )
    revision: str = Field("unreleased", description="The git revision the image was built from.")

    node_url: str = Field(description="Give the nodes' address, http://host:8899 or https://….")
    node_websocket_url: str = Field(
        description="Give the nodes' address for subscriptions, ws://host:8900 or wss://…."
    )
    node_timeout: Seconds = Field(15.0, description="Longest wait for a node's answer.")
    node_connect_timeout: Seconds = Field(2.0, description="Longest wait to connect to a node.")
    node_connections: int = Field(
        64, ge=1, le=10000, description="Calls that one task has at the nodes at once."
    )
    node_connection_life: Seconds = Field(
        30.0, description="Age at which connections are made anew, so that new nodes get some."
    )

    redis_url: SecretStr = Field(
        description="Use redis://host:port/0, or rediss://host:port/0 where the cache has TLS."
    )
    redis_connect_timeout: Seconds = Field(1.0, description="Longest wait to connect to Redis.")
    redis_timeout: Seconds = Field(0.5, description="Longest wait for one answer of Redis.")
    entry_max: int = Field(
        1 << 20, ge=0, le=1 << 28, description="Bytes of the largest answer that is kept."
    )
    memory_max: int = Field(
        1 << 25, ge=0, le=1 << 32, description="Bytes of answers in the task's own memory."
    )
    ttl_factor: float = Field(
        1.0, ge=0, le=1000, description="Keep what changes with the chain so many times longer."
    )
    method_ttls: Annotated[dict[str, Annotated[float, Field(ge=0, le=86400)]], NoDecode] = Field(
        {}, description='Give JSON: method to seconds, such as {"getProgramAccounts": 10}.'
    )

    method_limits: Annotated[dict[str, Rate], NoDecode] = Field(
        {}, description='Give JSON: method to calls per second, such as {"getBlock": 20}.'
    )
    caller_limits: Annotated[dict[str, Rate], NoDecode] = Field(
        {}, description='Give JSON: caller to calls per second, such as {"ip:192.0.2.7": 5}.'
    )
    caller_rate: Rate = Field(
        100.0, description="Calls per second that a caller without a limit of its own may make."
    )
    caller_keys: Annotated[dict[str, str], NoDecode] = Field(
        {}, description="Give JSON: a caller's name to the SHA-256 of its X-Api-Key, in hex."
    )
    caller_hops: int = Field(
        1, ge=0, le=10, description="Proxies before this service that add to X-Forwarded-For."
    )

    request_max: int = Field(
        1 << 18, ge=1024, le=1 << 26, description="Bytes of the largest request."
    )
    answer_max: int = Field(
        1 << 26, ge=1024, le=1 << 30, description="Bytes of the largest answer of a node."
    )
    batch_max: int = Field(50, ge=1, le=10000, description="Calls in one batch.")
    websockets_max: int = Field(1000, ge=0, description="WebSockets that one task carries.")

    metrics_seconds: Seconds = Field(10.0, description="Time between two lines of metrics.")
    drain_delay: float = Field(
        2.0, ge=0, le=300, description="Time between saying 'not ready' and closing the door."
    )
    drain_timeout: Seconds = Field(20.0, description="Longest wait for requests under way.")

    @field_validator(*_JSON_FIELDS, mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if not isinstance(value, str | bytes):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"it is not JSON ({error})") from error

    @field_validator("method_ttls")
    @classmethod
    def _cacheable(cls, value: dict[str, float]) -> dict[str, float]:
        if odd := sorted(set(value) - set(RULES)):
            raise ValueError(f"answers of {', '.join(odd)} are never kept")
        return value

    @field_validator("caller_keys")
    @classmethod
    def _digests(cls, value: dict[str, str]) -> dict[str, str]:
        for name, digest in value.items():
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ValueError(f"the digest of {name} is not 64 hex digits")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("root_path", mode="before")
    @classmethod
    def _no_trailing_slash(cls, value: Any) -> Any:
        return value.rstrip("/") if isinstance(value, str) else value

    @field_validator("node_url", "node_websocket_url")
    @classmethod
    def _usable_node_url(cls, value: str, info: Any) -> str:
        schemes = ("ws", "wss") if "websocket" in info.field_name else ("http", "https")
        _parts(value, schemes)
        return value

    @field_validator("redis_url")
    @classmethod
    def _usable_redis_url(cls, value: SecretStr) -> SecretStr:
        parts = _parts(value.get_secret_value(), ("redis", "rediss"))
        if not re.fullmatch(r"(/\d*)?", parts.path):
            raise ValueError(f"its database {parts.path[1:]!r} is not a number")
        if parts.query or parts.fragment:
            # redis-py takes options from there, among them ssl_cert_reqs=none.
            raise ValueError("it has options after the database number")
        return value

    def secrets(self) -> list[str]:
        """Every text that must not reach a log. An outside RPC's address often holds a key."""
        found = set()
        for url in (self.redis_url.get_secret_value(), self.node_url, self.node_websocket_url):
            parts = urlsplit(url)
            if parts.password is not None:
                found |= {url, parts.password}
            if parts.query:
                found |= {url, parts.query}
        return sorted((text for text in found if text), key=len, reverse=True)


def _parts(url: str, schemes: tuple[str, ...]) -> Any:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("it is not an address") from error
    if parts.scheme not in schemes:
        raise ValueError(f"its scheme is {parts.scheme!r}")
    if not parts.hostname or port == 0:
        raise ValueError("it names no host")
    return parts


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
        name = str(problem["loc"][0])
        field = Settings.model_fields[name]
        if problem["type"] == "missing":
            sentences.append(f"{name.upper()} is not set. {field.description}")
            continue
        reason = problem["msg"].removeprefix("Value error, ")
        reason = reason[0].lower() + reason[1:]
        entry = "".join(f"[{part}]" for part in problem["loc"][1:])
        shown = "" if name.endswith("_url") else f"={problem['input']}"
        sentences.append(f"{name.upper()}{entry}{shown} can't be used: {reason}. "
                         f"{field.description}")  # fmt: skip
    return sentences
