"""Every metric of the chat service. Labels come from closed sets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from chatsdk_runtime.instruments import BATCH_SIZES

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class ChatInstruments:
    """The chat service's own series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.search = SearchInstruments(registry)
        self.write_batch = Histogram(
            "chatsdk_write_batch_size",
            "Sends written in one transaction.",
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
            "chatsdk_write_queue_depth", "Sends that wait for a writer.", registry=registry
        )
        self.sends = Counter(
            "chatsdk_sends_total", "Sends by what became of them.", ["outcome"], registry=registry
        )
        self.relay_numbered = Counter(
            "chatsdk_relay_numbered_total", "Events that were given a position.", registry=registry
        )
        self.relay_published = Counter(
            "chatsdk_relay_published_total", "Events that the broker confirmed.", registry=registry
        )
        self.relay_refused = Counter(
            "chatsdk_relay_refused_total",
            "Times that a lane stopped because the broker returned, refused or did not confirm an event.",
            registry=registry,
        )
        self.relay_lag = Gauge(
            "chatsdk_relay_backlog_events",
            "Events numbered and not yet confirmed by the broker.",
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
