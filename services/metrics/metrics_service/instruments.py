"""Metrics of this process itself; the exact business totals are in `exposition`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class MetricsInstruments:
    """How counting goes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "chatsdk_counting_events_total",
            "Events that came for counting: `counted`, or `repeated` and so dropped.",
            ["outcome"],
            registry=registry,
        )
        self.reconciled = Counter(
            "chatsdk_counting_reconciled_total",
            "Events that the broker did not bring in time and that were fetched from the log.",
            registry=registry,
        )
        self.parked = Counter(
            "chatsdk_counting_parked_total",
            "Events that could not be counted and are kept in parked_event with the reason.",
            registry=registry,
        )
        self.rollups_stale = Gauge(
            "chatsdk_rollups_stale",
            "1 when the totals on this page are the last known ones because the database did not answer.",
            registry=registry,
        )
