"""Settings of the chat service: every variable, with its meaning; read once by `__main__`."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from chatsdk_runtime.outgoing.address_guard import IPNetwork, parse_networks
from chatsdk_runtime.settings import ServiceSettings, database_url


class ChatSettings(ServiceSettings):
    """The chat service's environment."""

    given_database_url: SecretStr | None = Field(
        None,
        validation_alias="CHAT_DATABASE_URL",
        description="PostgreSQL URL of the database `chatsdk_chat`.",
    )
    given_direct_url: SecretStr | None = Field(
        None,
        validation_alias="CHAT_DIRECT_URL",
        description="The same database without a pooler in between, for the relay, the writers and migrations.",
    )
    fallback_database_url: SecretStr | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="Used when CHAT_DATABASE_URL is unset, with the name replaced.",
    )
    host: str = Field("127.0.0.1", validation_alias="CHAT_HOST", description="Address of the public port.")
    port: int = Field(5500, ge=0, le=65535, validation_alias="CHAT_PORT", description="Public port: the API.")
    ops_host: str = Field(
        "127.0.0.1",
        validation_alias="CHAT_OPS_HOST",
        description="Address of the operations port; keep it private.",
    )
    ops_port: int = Field(
        5501,
        ge=0,
        le=65535,
        validation_alias="CHAT_OPS_PORT",
        description="Operations port: probes, metrics, `/internal/*` for the other services.",
    )
    public_url: str | None = Field(
        None,
        validation_alias="CHAT_PUBLIC_URL",
        description="Where clients reach this service; told by discovery.",
    )
    webhooks_public_url: str | None = Field(
        None, validation_alias="WEBHOOKS_PUBLIC_URL", description="Where clients reach the dispatcher's API."
    )
    metrics_public_url: str | None = Field(
        None,
        validation_alias="METRICS_PUBLIC_URL",
        description="Where clients reach the metrics service's API.",
    )
    admin_token: SecretStr | None = Field(
        None,
        validation_alias="CHATSDK_ADMIN_TOKEN",
        description="Bearer token of `/admin/*`; unset closes these paths (503), it never opens them.",
    )
    pool_size: int = Field(
        10,
        ge=2,
        validation_alias="CHAT_POOL_SIZE",
        description="Database connections for everything but sends.",
    )
    writers: int = Field(
        1,
        ge=1,
        le=32,
        validation_alias="CHAT_WRITERS",
        description="Batched writers, each with a connection of its own. One writes more than one process can take in; "
        "more make smaller batches, which cost more.",
    )
    write_queue_limit: int = Field(
        2_000,
        ge=1,
        validation_alias="CHAT_WRITE_QUEUE_LIMIT",
        description="Sends that may wait per writer; more are answered 503 `overloaded`.",
    )
    relay_poll_interval_s: float = Field(
        0.05,
        gt=0,
        validation_alias="CHAT_RELAY_POLL_INTERVAL_S",
        description="How often the relay looks for events that nobody woke it for.",
    )
    lane_lease_s: float = Field(
        8.0,
        gt=0,
        validation_alias="CHAT_LANE_LEASE_S",
        description="Seconds without renewal after which another replica takes a lane over.",
    )
    heartbeat_interval_s: float = Field(
        25.0,
        gt=0,
        validation_alias="CHAT_HEARTBEAT_INTERVAL_S",
        description="How often sockets are told how far their channels are, and lost events are looked for.",
    )
    sockets_per_user: int = Field(
        50,
        ge=1,
        validation_alias="CHAT_SOCKETS_PER_USER",
        description="Sockets that one user may have on one replica; more are closed with 4429.",
    )
    reconnect_spread_ms: int = Field(
        5_000,
        ge=0,
        validation_alias="CHAT_RECONNECT_SPREAD_MS",
        description="Over how many milliseconds clients are asked to come back when a replica stops.",
    )
    typing_lifetime_s: float = Field(
        6.0,
        gt=0,
        le=60,
        validation_alias="CHAT_TYPING_LIFETIME_S",
        description="Seconds after which a user who does not say so again types no more; a start is told anew after half.",
    )
    large_channel_members: int = Field(
        1_000,
        ge=1,
        validation_alias="CHAT_LARGE_CHANNEL_MEMBERS",
        description="Members above which sockets get joins, typing, reads and reactions of a channel as counts each second.",
    )
    presence_renew_s: float = Field(
        2.0,
        gt=0,
        validation_alias="CHAT_PRESENCE_RENEW_S",
        description="How often a replica says that it lives, and with it the sockets of its users.",
    )
    presence_dead_after_s: float = Field(
        8.0,
        gt=0,
        validation_alias="CHAT_PRESENCE_DEAD_AFTER_S",
        description="Seconds without that after which another replica declares them gone.",
    )
    presence_grace_s: float = Field(
        20.0,
        ge=0,
        validation_alias="CHAT_PRESENCE_GRACE_S",
        description="Seconds for which a user whose last socket ended is not yet told to be offline.",
    )
    presence_heartbeat_s: float = Field(
        60.0,
        gt=0,
        validation_alias="CHAT_PRESENCE_HEARTBEAT_S",
        description="Seconds for which a call of POST /api/presence/heartbeat keeps a user without a socket there.",
    )
    collab_ops_kept: int = Field(
        500,
        ge=1,
        le=10_000,
        validation_alias="CHAT_COLLAB_OPS_KEPT",
        description="Latest operations kept of each collaborative text; who was away for longer begins with a snapshot.",
    )
    collab_state_bytes: int = Field(
        65_536,
        ge=1_024,
        le=1_048_576,
        validation_alias="CHAT_COLLAB_STATE_BYTES",
        description="Largest document of a message in textMode crdt, in bytes, with what it keeps of its history.",
    )
    undelete_days: int = Field(
        7,
        ge=0,
        le=365,
        validation_alias="CHAT_UNDELETE_DAYS",
        description="Days for which a deleted message is kept, sealed, to be restored; 0 keeps nothing.",
    )
    uploads_url: str | None = Field(
        None,
        pattern=r"^(s3://[^/]+(/.*)?|file:///.*|memory:.*)$",
        validation_alias="CHAT_UPLOADS_URL",
        description="Where uploaded files are kept: `s3://bucket[/prefix]` with the usual AWS variables "
        "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL), `file:///directory` or "
        "`memory:///`; unset: CHAT_UPLOADS_DIRECTORY.",
    )
    uploads_directory: str = Field(
        "/var/lib/chatsdk/uploads",
        min_length=1,
        validation_alias="CHAT_UPLOADS_DIRECTORY",
        description="Local directory of uploaded files; several replicas need a common one, or an S3 store.",
    )
    upload_image_bytes: int = Field(
        10 * 1024 * 1024,
        ge=1,
        validation_alias="CHAT_UPLOAD_IMAGE_BYTES",
        description="Largest image taken, in bytes.",
    )
    upload_video_bytes: int = Field(
        100 * 1024 * 1024,
        ge=1,
        validation_alias="CHAT_UPLOAD_VIDEO_BYTES",
        description="Largest video taken, in bytes.",
    )
    upload_file_bytes: int = Field(
        50 * 1024 * 1024,
        ge=1,
        validation_alias="CHAT_UPLOAD_FILE_BYTES",
        description="Largest file of any other kind taken, in bytes.",
    )
    upload_url_lifetime_s: int = Field(
        3_600,
        ge=60,
        le=86_400,
        validation_alias="CHAT_UPLOAD_URL_LIFETIME_S",
        description="Seconds for which the address of a presigned upload takes the file.",
    )
    upload_pending_hours: float = Field(
        24.0,
        gt=0,
        validation_alias="CHAT_UPLOAD_PENDING_HOURS",
        description="Hours after which an upload that was never confirmed is removed.",
    )
    upload_unlinked_days: float = Field(
        7.0,
        gt=0,
        validation_alias="CHAT_UPLOAD_UNLINKED_DAYS",
        description="Days after which a file that no message shows is removed.",
    )
    job_lease_s: float = Field(
        60.0,
        gt=0,
        validation_alias="CHAT_JOB_LEASE_S",
        description="Seconds without progress after which another replica takes over an erasure, export or import.",
    )
    job_poll_interval_s: float = Field(
        1.0,
        gt=0,
        validation_alias="CHAT_JOB_POLL_INTERVAL_S",
        description="How often a replica looks for such work.",
    )
    import_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=1,
        validation_alias="CHAT_IMPORT_BYTES",
        description="Largest file of lines that an import takes, in bytes.",
    )
    export_kept_hours: float = Field(
        24.0,
        gt=0,
        validation_alias="CHAT_EXPORT_KEPT_HOURS",
        description="Hours for which a finished export may be fetched.",
    )
    retention_interval_s: float = Field(
        600.0,
        gt=0,
        validation_alias="CHAT_RETENTION_INTERVAL_S",
        description="Seconds between two looks for messages that are older than their app keeps them.",
    )
    erase_delay_s: float = Field(
        10.0,
        ge=0,
        validation_alias="CHAT_ERASE_DELAY_S",
        description="Seconds before what a user wrote is erased: for as long, a replica that has not heard of it may "
        "still take a call of theirs.",
    )
    outgoing_allowed_networks: str = Field(
        "",
        validation_alias="CHAT_OUTGOING_ALLOWED_NETWORKS",
        description="Networks that before-send hooks and link previews may reach although they are not public, "
        "comma separated, e.g. 127.0.0.0/8.",
    )
    hook_allow_http: bool = Field(
        False,
        validation_alias="CHAT_HOOK_ALLOW_HTTP",
        description="Whether before-send hooks may have http:// URLs; https only is the default.",
    )
    hook_calls_at_once: int = Field(
        50,
        ge=1,
        validation_alias="CHAT_HOOK_CALLS_AT_ONCE",
        description="Calls of one app's before-send hook under way at once, from this replica.",
    )
    screening_waiting: int = Field(
        1_000,
        ge=1,
        validation_alias="CHAT_SCREENING_WAITING",
        description="Messages of one app that may wait for its list or hook; more are answered 503 `overloaded`.",
    )
    hook_breaker_failures: int = Field(
        5,
        ge=1,
        validation_alias="CHAT_HOOK_BREAKER_FAILURES",
        description="Failures in a row after which a before-send hook is left alone for a while.",
    )
    hook_breaker_open_s: float = Field(
        10.0,
        gt=0,
        validation_alias="CHAT_HOOK_BREAKER_OPEN_S",
        description="Seconds for which it is left alone before one call tries it again.",
    )
    screening_fresh_s: float = Field(
        5.0,
        gt=0,
        validation_alias="CHAT_SCREENING_FRESH_S",
        description="Seconds after which an app's word list and hook are looked up again even if nobody told "
        "that they changed.",
    )
    preview_timeout_s: float = Field(
        5.0,
        gt=0,
        le=30,
        validation_alias="CHAT_PREVIEW_TIMEOUT_S",
        description="Deadline of looking at one link in seconds, redirects and all.",
    )
    preview_body_bytes: int = Field(
        262_144,
        ge=1_024,
        validation_alias="CHAT_PREVIEW_BODY_BYTES",
        description="Of a linked page so many bytes are read.",
    )
    preview_poll_s: float = Field(
        0.5,
        gt=0,
        validation_alias="CHAT_PREVIEW_POLL_S",
        description="Seconds between two looks for messages with links.",
    )
    rate_limit_factor: float = Field(
        1.0,
        ge=0,
        le=1_000_000,
        validation_alias="CHAT_RATE_LIMIT_FACTOR",
        description="Multiplies every default rate limit, and the most that an app's owner may allow the whole "
        "app; 0 switches limits off.",
    )
    rate_limit_keys: int = Field(
        50_000,
        ge=1_000,
        validation_alias="CHAT_RATE_LIMIT_KEYS",
        description="Buckets of apps, users and channels that one replica keeps; the longest unused are forgotten.",
    )
    rate_limit_answer_s: float = Field(
        0.25,
        gt=0,
        le=10,
        validation_alias="CHAT_RATE_LIMIT_ANSWER_S",
        description="Seconds that the database has for answering about limits, before each replica limits by itself.",
    )
    notification_interval_s: float = Field(
        2.0,
        gt=0,
        validation_alias="CHAT_NOTIFICATION_INTERVAL_S",
        description="Seconds between two looks for unread messages of which an app wants to be told.",
    )
    notification_channel_members: int = Field(
        1_000,
        ge=1,
        validation_alias="CHAT_NOTIFICATION_CHANNEL_MEMBERS",
        description="Members above which an app is told of mentions in a channel alone.",
    )
    fault_points: str = Field(
        "",
        validation_alias="CHATSDK_FAULT_POINTS",
        description="Development only: `name:n` ends the process at the n-th passing of a named point.",
    )

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        database_url(self.given_database_url, self.fallback_database_url, "chatsdk_chat", "CHAT_DATABASE_URL")
        return self

    @field_validator("outgoing_allowed_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        parse_networks(text)
        return text

    @property
    def outgoing_networks(self) -> tuple[IPNetwork, ...]:
        """`outgoing_allowed_networks`, parsed."""
        return parse_networks(self.outgoing_allowed_networks)

    @property
    def database_url(self) -> str:
        """Where the pool connects."""
        url = database_url(
            self.given_database_url, self.fallback_database_url, "chatsdk_chat", "CHAT_DATABASE_URL"
        )
        return url.get_secret_value()

    @property
    def direct_url(self) -> str:
        """Where the writers, the relay and migrations connect."""
        return self.given_direct_url.get_secret_value() if self.given_direct_url else self.database_url
