"""The dispatcher's settings; read once by `__main__`, handed down by `app`."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.outgoing.address_guard import IPNetwork, parse_networks
from chatsdk_runtime.settings import ServiceSettings, database_url

DATABASE = "chatsdk_webhooks"


class DatabaseSettings(ServiceSettings):
    """What `migrate` needs."""

    own_database_url: SecretStr | None = Field(
        None,
        validation_alias="WEBHOOKS_DATABASE_URL",
        description="PostgreSQL URL of the dispatcher's own database.",
    )
    shared_database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="Fallback for the above; its database name is replaced by chatsdk_webhooks.",
    )
    own_direct_url: SecretStr | None = Field(
        None,
        validation_alias="WEBHOOKS_DIRECT_URL",
        description="The same database without a pooler in between, for migrations; defaults to the one above.",
    )
    _direct_url: str = PrivateAttr("")
    _database_url: str = PrivateAttr("")

    @model_validator(mode="after")
    def _has_a_database(self) -> Self:
        url = database_url(
            self.own_database_url, self.shared_database_url, DATABASE, "WEBHOOKS_DATABASE_URL"
        ).get_secret_value()
        self._database_url = url
        self._direct_url = self.own_direct_url.get_secret_value() if self.own_direct_url else url
        return self

    @property
    def database_dsn(self) -> str:
        """Where the pool connects."""
        return self._database_url

    @property
    def direct_dsn(self) -> str:
        """Where migrations connect."""
        return self._direct_url


class Settings(DatabaseSettings):
    """What `serve` needs; one field per environment variable."""

    host: str = Field(
        "127.0.0.1", validation_alias="WEBHOOKS_HOST", description="Address of the public port."
    )
    port: int = Field(5510, ge=0, le=65_535, validation_alias="WEBHOOKS_PORT", description="Public port.")
    ops_host: str = Field(
        "127.0.0.1", validation_alias="WEBHOOKS_OPS_HOST", description="Address of the operations port."
    )
    ops_port: int = Field(
        5511, ge=0, le=65_535, validation_alias="WEBHOOKS_OPS_PORT", description="Operations port."
    )
    chat_internal_url: str = Field(
        validation_alias="CHAT_INTERNAL_URL",
        description="Base URL of chat's operations port: credentials and the event log are asked there.",
    )
    allow_http: bool = Field(
        False,
        validation_alias="WEBHOOKS_ALLOW_HTTP",
        description="Whether webhooks may have http:// URLs; https only is the default.",
    )
    allowed_networks: str = Field(
        "",
        validation_alias="WEBHOOKS_ALLOWED_NETWORKS",
        description="Networks excepted from the address guard, comma separated, e.g. 127.0.0.0/8.",
    )
    retry_unit_s: float = Field(
        1.0,
        gt=0,
        validation_alias="WEBHOOKS_RETRY_UNIT_S",
        description="Length of the quick ladder's first wait in seconds; the others are 2 and 4 times it.",
    )
    request_timeout_s: float = Field(
        10.0,
        gt=0,
        validation_alias="WEBHOOKS_REQUEST_TIMEOUT_S",
        description="Deadline of one attempt in seconds, from the name's look-up to the reply's last byte.",
    )
    held_limit: int = Field(
        100_000,
        ge=1,
        validation_alias="WEBHOOKS_HELD_LIMIT",
        description="Deliveries kept for one webhook that is failing or gone; beyond it the oldest expire.",
    )
    probe_first_s: float = Field(
        30.0,
        gt=0,
        validation_alias="WEBHOOKS_PROBE_FIRST_S",
        description="An endpoint that fails is left alone for up to so many seconds before its first probe, and twice as "
        "long after each that fails.",
    )
    probe_most_s: float = Field(
        3600.0,
        gt=0,
        validation_alias="WEBHOOKS_PROBE_MOST_S",
        description="The longest time between two probes of an endpoint, in seconds.",
    )
    reconcile_interval_s: float = Field(
        60.0,
        gt=0,
        validation_alias="WEBHOOKS_RECONCILE_INTERVAL_S",
        description="Seconds between two comparisons of what is planned with what chat has published.",
    )
    reconcile_grace_s: float = Field(
        5.0,
        ge=0,
        validation_alias="WEBHOOKS_RECONCILE_GRACE_S",
        description="Seconds that the broker gets after a start before the first comparison.",
    )
    poll_interval_s: float = Field(
        0.1,
        gt=0,
        validation_alias="WEBHOOKS_POLL_INTERVAL_S",
        description="Seconds between two looks for deliveries that other replicas planned.",
    )
    session_renew_s: float = Field(
        2.0,
        gt=0,
        validation_alias="WEBHOOKS_SESSION_RENEW_S",
        description="Seconds between two renewals of this worker's session.",
    )
    session_dead_s: float = Field(
        8.0,
        gt=0,
        validation_alias="WEBHOOKS_SESSION_DEAD_S",
        description="A session not renewed for so many seconds is dead, and its deliveries go to others.",
    )
    max_in_flight: int = Field(
        200,
        ge=1,
        validation_alias="WEBHOOKS_MAX_IN_FLIGHT",
        description="Requests under way at once in this process.",
    )
    max_in_flight_per_endpoint: int = Field(
        10,
        ge=1,
        validation_alias="WEBHOOKS_MAX_IN_FLIGHT_PER_ENDPOINT",
        description="Requests under way at once to one webhook, from this process.",
    )
    app_weights_text: str = Field(
        "",
        validation_alias="WEBHOOKS_APP_WEIGHTS",
        description="Apps that get more, or less, than an equal share of the requests when there are not enough for all: "
        "`appId=weight`, comma separated; others weigh 1.",
    )
    redactions_interval_s: float = Field(
        5.0,
        gt=0,
        validation_alias="WEBHOOKS_REDACTIONS_INTERVAL_S",
        description="How often chat is asked what it took out of its log, to take it out of the copies here.",
    )
    retention_days: int = Field(
        30,
        ge=1,
        le=30,
        validation_alias="WEBHOOKS_RETENTION_DAYS",
        description="Days that bodies, deliveries and attempts are kept; longer while a delivery is unfinished. Not "
        "longer than chat keeps its log, which says what is to be expunged.",
    )
    fault_points_text: str = Field(
        "",
        validation_alias="CHATSDK_FAULT_POINTS",
        description="For fault tests, in development only: `name:n` kills the process at that place.",
    )

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        parse_networks(text)
        return text

    @field_validator("app_weights_text")
    @classmethod
    def _are_weights(cls, text: str) -> str:
        parse_weights(text)
        return text

    @field_validator("fault_points_text")
    @classmethod
    def _are_fault_points(cls, text: str) -> str:
        FaultPoints.parse(text)
        return text

    @field_validator("master_keys")
    @classmethod
    def _are_keys(cls, text: SecretStr) -> SecretStr:
        Keyring.parse(text.get_secret_value())
        return text

    @model_validator(mode="after")
    def _session_outlives_its_renewal(self) -> Self:
        if self.session_dead_s < 3 * self.session_renew_s:
            message = "WEBHOOKS_SESSION_DEAD_S must be at least 3 times WEBHOOKS_SESSION_RENEW_S"
            raise ValueError(message)
        return self

    @property
    def networks(self) -> tuple[IPNetwork, ...]:
        """`allowed_networks`, parsed."""
        return parse_networks(self.allowed_networks)

    @property
    def app_weights(self) -> dict[str, float]:
        """`app_weights_text`, parsed."""
        return parse_weights(self.app_weights_text)

    @property
    def fault_points(self) -> FaultPoints:
        """Armed in development only."""
        return FaultPoints.parse(self.fault_points_text) if self.is_development else FaultPoints()


def parse_weights(text: str) -> dict[str, float]:
    """`app=2, other=0.5` as numbers by app. ValueError for what is no positive number."""
    weights: dict[str, float] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        app_id, _, weight = entry.partition("=")
        try:
            number = float(weight)
        except ValueError:
            number = 0.0
        if not app_id.strip() or not 0 < number < math.inf:
            message = f"WEBHOOKS_APP_WEIGHTS has {entry!r}: write appId=weight with a number above 0"
            raise ValueError(message)
        weights[app_id.strip()] = number
    return weights
