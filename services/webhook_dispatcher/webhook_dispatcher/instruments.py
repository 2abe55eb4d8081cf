"""Every metric of the dispatcher. Labels come from closed sets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

ATTEMPT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
CLAIM_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 400)


class Instruments:
    """The dispatcher's own series, beside the runtime's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._make_planning(registry)
        self._make_sending(registry)
        self._make_leases(registry)

    def _make_planning(self, registry: CollectorRegistry) -> None:
        self.planned_events = Counter(
            "chatsdk_webhook_planned_events_total",
            "Events that were matched against the registrations and committed.",
            registry=registry,
        )
        self.expired_events = Counter(
            "chatsdk_webhook_expired_events_total",
            "Typing and presence events that came too late to be of use to anybody.",
            registry=registry,
        )
        self.planned_deliveries = Counter(
            "chatsdk_webhook_planned_deliveries_total",
            "Deliveries planned, by how they began (pending, or skipped because the webhook is off).",
            ["status"],
            registry=registry,
        )

    def _make_sending(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "chatsdk_webhook_deliveries_total",
            "Attempts recorded, by what became of their delivery.",
            ["outcome"],
            registry=registry,
        )
        self.expired = Counter(
            "chatsdk_webhook_expired_deliveries_total",
            "Deliveries that ended unsent: past their webhook's deadline, or more than may be held for it.",
            ["reason"],
            registry=registry,
        )
        self.attempts = Counter(
            "chatsdk_webhook_attempts_total", "Requests sent, by result.", ["result"], registry=registry
        )
        self.attempt_duration = Histogram(
            "chatsdk_webhook_attempt_duration_seconds",
            "Seconds from the start of an attempt to the last byte read.",
            buckets=ATTEMPT_SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "chatsdk_webhook_in_flight", "Requests under way in this process.", registry=registry
        )

    def _make_leases(self, registry: CollectorRegistry) -> None:
        self.leased = Gauge(
            "chatsdk_webhook_leased", "Deliveries that this process holds a lease of.", registry=registry
        )
        self.pending = Gauge(
            "chatsdk_webhook_pending",
            "Unfinished deliveries by state; the same on every replica.",
            ["state"],
            registry=registry,
        )
        self.fenced = Counter(
            "chatsdk_webhook_fenced_total",
            "Outcomes not recorded because the lease had gone to another worker.",
            registry=registry,
        )
        self.transitions = Counter(
            "chatsdk_webhook_transitions_total",
            "Webhooks that changed their state because of what their receivers answered.",
            ["to"],
            registry=registry,
        )
        self.claimed = Histogram(
            "chatsdk_webhook_claim_size",
            "Deliveries taken by one claim that found any.",
            buckets=CLAIM_SIZES,
            registry=registry,
        )
