"""Settings of the metrics service, read from the environment by `__main__`."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.settings import ServiceSettings, database_url

DATABASE = "chatsdk_metrics"


class MetricsSettings(ServiceSettings):
    """What this service needs beside the common settings."""

    own_database_url: SecretStr | None = Field(
        None,
        validation_alias="METRICS_DATABASE_URL",
        description="PostgreSQL URL of this service's own database.",
    )
    fallback_database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description=f"Used when METRICS_DATABASE_URL is not set; the database's name is replaced by {DATABASE}.",
    )
    own_direct_url: SecretStr | None = Field(
        None,
        validation_alias="METRICS_DIRECT_URL",
        description="The same database without a pooler in between, for migrations; defaults to the URL above.",
    )
    host: str = Field("127.0.0.1", validation_alias="METRICS_HOST", description="Address of the public port.")
    port: int = Field(5520, ge=0, le=65_535, validation_alias="METRICS_PORT", description="The public port.")
    ops_host: str = Field(
        "127.0.0.1", validation_alias="METRICS_OPS_HOST", description="Address of the operations port."
    )
    ops_port: int = Field(
        5521, ge=0, le=65_535, validation_alias="METRICS_OPS_PORT", description="The operations port."
    )
    chat_internal_url: str = Field(
        "http://127.0.0.1:5501",
        pattern=r"^https?://",
        validation_alias="CHAT_INTERNAL_URL",
        description="Base URL of chat's operations port: who a key is, and the event log.",
    )
    max_apps: int = Field(
        1_000,
        ge=0,
        validation_alias="METRICS_MAX_APPS",
        description="How many apps have a label value of their own on /metrics; the rest share `other`.",
    )
    redactions_interval_s: float = Field(
        5.0,
        gt=0,
        validation_alias="METRICS_REDACTIONS_INTERVAL_S",
        description="How often chat is asked what it took out of its log, to take it out of the copies here.",
    )
    reconcile_interval_s: float = Field(
        60.0,
        gt=0,
        validation_alias="METRICS_RECONCILE_INTERVAL_S",
        description="Seconds between comparisons of what was counted with what chat has published.",
    )
    reconcile_grace_s: float = Field(
        5.0,
        ge=0,
        validation_alias="METRICS_RECONCILE_GRACE_S",
        description="Seconds that the broker gets after a start before the first comparison.",
    )
    linger_ms: float = Field(
        20.0,
        ge=0,
        validation_alias="METRICS_LINGER_MS",
        description="Milliseconds that a batch which is not full waits for more events.",
    )
    fault_points: str = Field(
        "",
        validation_alias="CHATSDK_FAULT_POINTS",
        description="Development only: `name:n` ends the process with SIGKILL at the n-th passing of that point.",
    )

    @model_validator(mode="after")
    def _checks(self) -> MetricsSettings:
        database_url(self.own_database_url, self.fallback_database_url, DATABASE, "METRICS_DATABASE_URL")
        FaultPoints.parse(self.fault_points)
        if self.fault_points and not self.is_development:
            raise ValueError("CHATSDK_FAULT_POINTS is for CHATSDK_ENV=development only")
        return self

    @property
    def database_url(self) -> SecretStr:
        """Where the pool connects."""
        return database_url(
            self.own_database_url, self.fallback_database_url, DATABASE, "METRICS_DATABASE_URL"
        )

    @property
    def direct_url(self) -> SecretStr:
        """Where migrations connect."""
        return self.own_direct_url or self.database_url
