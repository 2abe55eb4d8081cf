"""Every metric of the chat service. Labels come from closed sets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from chatsdk_runtime.instruments import BATCH_SIZES

_FILE_BYTES = (10_000, 100_000, 1_000_000, 5_000_000, 10_000_000, 50_000_000, 100_000_000)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

_CALLS = ("send", "write", "read", "search", "upload")


class ChatInstruments:
    """The chat service's own series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.search = SearchInstruments(registry)
        self.jobs = JobInstruments(registry)
        self.write_batch = Histogram(
            "chatsdk_write_batch_size",
            "Sends and reactions written in one transaction.",
            buckets=BATCH_SIZES,
            registry=registry,
        )
        self.write_seconds = Histogram(
            "chatsdk_write_batch_duration_seconds",
            "Seconds from taking a batch to its commit.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.write_waiting = Gauge(
            "chatsdk_write_queue_depth", "Sends and reactions that wait for a writer.", registry=registry
        )
        self.sends = Counter(
            "chatsdk_sends_total", "Sends by what became of them.", ["outcome"], registry=registry
        )
        self.reactions = Counter(
            "chatsdk_reactions_total",
            "Reactions made and taken back, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self.relay = RelayInstruments(registry)
        self.realtime = RealtimeInstruments(registry)
        self.files = UploadInstruments(registry)
        self.ephemeral = EphemeralInstruments(registry)
        self.presence = PresenceInstruments(registry)
        self.limits = LimitInstruments(registry)
        self.screening = ScreeningInstruments(registry)
        self.previews = PreviewInstruments(registry)


class RelayInstruments:
    """The series of the relay."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.numbered = Counter(
            "chatsdk_relay_numbered_total", "Events that were given a position.", registry=registry
        )
        self.published = Counter(
            "chatsdk_relay_published_total", "Events that the broker confirmed.", registry=registry
        )
        self.refused = Counter(
            "chatsdk_relay_refused_total",
            "Times that a lane stopped because the broker returned, refused or did not confirm an event.",
            registry=registry,
        )
        self.backlog = Gauge(
            "chatsdk_relay_backlog_events",
            "Events of the lanes led here that are numbered and not yet confirmed by the broker.",
            registry=registry,
        )
        self.lanes_led = Gauge(
            "chatsdk_relay_lanes_led", "Lanes that this replica relays.", registry=registry
        )
        self.broker_connected = Gauge(
            "chatsdk_relay_broker_connected",
            "1 while the relay has a connection to the broker.",
            registry=registry,
        )


class RealtimeInstruments:
    """The series of sockets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sockets = Gauge(
            "chatsdk_websocket_connections", "Sockets connected to this replica.", registry=registry
        )
        self.subscriptions = Gauge(
            "chatsdk_websocket_subscriptions",
            "Topics followed, over all sockets of this replica.",
            registry=registry,
        )
        self.frames = Counter(
            "chatsdk_websocket_messages_published_total",
            "Events given to sockets, one for each socket.",
            registry=registry,
        )
        self.gaps = Counter(
            "chatsdk_websocket_gaps_filled_total",
            "Times that a topic was filled from the log because the broker had not brought everything.",
            registry=registry,
        )
        self.closes = Counter(
            "chatsdk_websocket_closes_total",
            "Sockets that ended, by close code.",
            ["code"],
            registry=registry,
        )


class LimitInstruments:
    """The series of rate limits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.decisions = Counter(
            "chatsdk_rate_limit_decisions_total",
            "Calls by what they count as, and by whether they were let through, refused, or given back as repeats.",
            ["action", "result"],
            registry=registry,
        )
        # Looked up once: every call counts here.
        self.admitted, self.refused, self.repeats = (
            {action: self.decisions.labels(action, result) for action in _CALLS}
            for result in ("admitted", "refused", "repeat")
        )
        self.alone = Gauge(
            "chatsdk_rate_limit_local",
            "1 while limits are this replica's own, because the database does not answer.",
            registry=registry,
        )


class UploadInstruments:
    """The series of uploaded files."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.uploads = Counter(
            "chatsdk_uploads_total",
            "Uploaded files by kind and by what became of them.",
            ["content_kind", "result"],
            registry=registry,
        )
        self.size = Histogram(
            "chatsdk_upload_size_bytes",
            "Sizes of the files that were stored.",
            buckets=_FILE_BYTES,
            registry=registry,
        )


class ScreeningInstruments:
    """The series of word lists and before-send hooks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.screenings = Counter(
            "chatsdk_screenings_total",
            "Decisions of word lists and hooks, by source and action; what a list does not find is not counted.",
            ["source", "action"],
            registry=registry,
        )
        self.hook_calls = Counter(
            "chatsdk_hook_calls_total",
            "Questions to before-send hooks, by the answer or why there was none.",
            ["outcome"],
            registry=registry,
        )
        self.hook_seconds = Histogram(
            "chatsdk_hook_call_duration_seconds",
            "Seconds that calls of before-send hooks took.",
            buckets=_SECONDS,
            registry=registry,
        )


class PreviewInstruments:
    """The series of link previews."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.links = Counter(
            "chatsdk_link_previews_total",
            "Links that were looked at, by what came of it.",
            ["outcome"],
            registry=registry,
        )


class SearchInstruments:
    """The series of the search index."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.backlog = Gauge(
            "chatsdk_search_backlog_events",
            "Events of the log that the search index has not taken yet.",
            registry=registry,
        )
        self.indexed = Counter(
            "chatsdk_search_indexed_events_total",
            "Events of the log that this replica took into the search index.",
            registry=registry,
        )


class EphemeralInstruments:
    """The series of events that are told and forgotten."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.told = Counter(
            "chatsdk_ephemeral_events_total",
            "Typing and presence events: published, coalesced (a newer one took its place) or dropped "
            "(the broker was away).",
            ["outcome"],
            registry=registry,
        )


class PresenceInstruments:
    """The series of typing and presence."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.typing = Counter(
            "chatsdk_typing_events_total",
            "Typing starts and stops that were told to a channel.",
            ["action"],
            registry=registry,
        )
        self.changes = Counter(
            "chatsdk_presence_changes_total",
            "Changes of what others see of a user.",
            ["status"],
            registry=registry,
        )
        self.reaped = Counter(
            "chatsdk_presence_sessions_reaped_total",
            "Replicas that were found dead and whose connections were declared gone.",
            registry=registry,
        )
        self.watched = Gauge(
            "chatsdk_presence_watched_users",
            "Users whose presence sockets of this replica asked for.",
            registry=registry,
        )


class JobInstruments:
    """The series of erasures, exports and imports."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ended = Counter(
            "chatsdk_jobs_total",
            "Times that an erasure, export or import was done, or put back: it failed, had to wait, or was given up.",
            ["kind", "result"],
            registry=registry,
        )
