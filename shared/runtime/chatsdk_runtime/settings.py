"""Settings of a process: read once from the environment, checked whole, passed down.

`__main__` calls `load_settings`; nothing else reads the environment. A wrong environment is reported in one
go, every problem by variable name, before anything starts.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment does not describe a process that can start; the message lists every problem."""


class ServiceSettings(BaseSettings):
    """What every service has. Field aliases are the environment variables."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    environment: Literal["development", "production"] = Field(
        "production",
        validation_alias="CHATSDK_ENV",
        description="`development` also answers the operations paths on the public port, without credentials.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        validation_alias="LOG_LEVEL",
        description="Lowest level that is written; changeable at run time.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto",
        validation_alias="LOG_FORMAT",
        description="`auto`: readable on a terminal in development, JSON lines everywhere else.",
    )
    rabbitmq_url: SecretStr = Field(
        validation_alias="RABBITMQ_URL",
        description="AMQP 0-9-1 URL of the broker, e.g. amqp://user:password@host:5672/vhost.",
    )
    service_token: SecretStr = Field(
        min_length=16,
        validation_alias="CHATSDK_SERVICE_TOKEN",
        description="Credential between our services for `/internal/*`; the same for all three, at least 16 characters.",
    )
    master_keys: SecretStr = Field(
        validation_alias="CHATSDK_MASTER_KEYS",
        description="Keyring for secrets at rest: `id:base64 of 32 bytes`, comma separated; the first writes, all read.",
    )
    drain_timeout_s: float = Field(
        15.0,
        gt=0,
        validation_alias="CHATSDK_DRAIN_TIMEOUT_S",
        description="Seconds that requests and deliveries under way get to finish at shutdown.",
    )
    max_body_bytes: int = Field(
        262_144,
        ge=1_024,
        validation_alias="CHATSDK_MAX_BODY_BYTES",
        description="Largest request body taken, in bytes; a larger one is answered 413.",
    )

    @property
    def is_development(self) -> bool:
        """Whether conveniences for a developer's machine are on."""
        return self.environment == "development"


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load_settings(settings_class: type[SettingsT], **overrides: Any) -> SettingsT:
    """Read and check the environment.

    Raises:
        SettingsError: with one line per problem, named by environment variable.
    """
    try:
        return settings_class(**overrides)
    except ValidationError as error:
        lines = [
            f"{_variable(settings_class, problem['loc'])}: {problem['msg']}" for problem in error.errors()
        ]
        raise SettingsError("The environment is not complete:\n  " + "\n  ".join(lines)) from None


def database_url(own: SecretStr | None, fallback: SecretStr | None, name: str, variable: str) -> SecretStr:
    """The service's own URL, else `DATABASE_URL` with the database's name put in.

    Raises:
        ValueError: when neither is given.
    """
    if own is not None:
        return own
    if fallback is None:
        message = f"set {variable}, or DATABASE_URL (its database name is replaced by {name})"
        raise ValueError(message)
    parts = urlsplit(fallback.get_secret_value())
    return SecretStr(urlunsplit(parts._replace(path=f"/{name}")))


def _variable(settings_class: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    if not location:
        return "settings"
    name = str(location[0])
    field = settings_class.model_fields.get(name)
    alias = field.validation_alias if field is not None else None
    return alias if isinstance(alias, str) else name
