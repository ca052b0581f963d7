"""Configuration: environment variables only, checked once, before anything else starts."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

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
        "/api/product",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Give the path that the load balancer sends here, such as /api/product.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Use debug, info, warning or error."
    )
    revision: str = Field("unreleased", description="The git revision the image was built from.")

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

    reservation_seconds: int = Field(
        900, ge=1, le=86400, description="Life of a reservation that nobody confirms or releases."
    )

    otel_exporter_otlp_endpoint: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Give the collector's address, such as http://127.0.0.1:4318, or nothing.",
    )
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

    @model_validator(mode="after")
    def _pool_bounds(self) -> "Settings":
        if self.database_pool_min > self.database_pool_max:
            raise ValueError(
                f"DATABASE_POOL_MIN={self.database_pool_min} is more than "
                f"DATABASE_POOL_MAX={self.database_pool_max}. Lower the first or raise the second."
            )
        return self

    def secrets(self) -> list[str]:
        """Every text that must not reach a log, in the forms in which it could appear."""
        password = self.database_password.get_secret_value()
        found = {password, quote(password, safe="")}
        return sorted((text for text in found if text), key=len, reverse=True)

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
