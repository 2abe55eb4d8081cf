"""Metrics that every process has: HTTP, loops, broker consumption, pools.

Labels come from closed sets: route templates, methods, status codes, queue names, outcomes. Each process has
one registry, made by its composition root.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

HTTP_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class RuntimeInstruments:
    """The runtime's own series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.http_requests = Counter(
            "chatsdk_http_requests_total",
            "HTTP requests answered, by route template.",
            ["method", "route", "status_code"],
            registry=registry,
        )
        self.http_duration = Histogram(
            "chatsdk_http_request_duration_seconds",
            "Seconds from the request's head to the end of the answer.",
            ["method", "route", "status_code"],
            buckets=HTTP_SECONDS,
            registry=registry,
        )
        # Looking a labelled series up costs more than counting in it; there are few, from closed sets.
        self._http_series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.http_in_flight = Gauge(
            "chatsdk_http_requests_in_flight", "HTTP requests being answered now.", registry=registry
        )
        self.consumed = Counter(
            "chatsdk_broker_messages_consumed_total",
            "Broker messages taken from a queue, by what became of them.",
            ["queue", "outcome"],
            registry=registry,
        )
        self.consumed_batch = Histogram(
            "chatsdk_broker_batch_size",
            "Broker messages handled in one transaction.",
            ["queue"],
            buckets=BATCH_SIZES,
            registry=registry,
        )
        self.consumer_paused = Gauge(
            "chatsdk_broker_consumer_paused",
            "1 while a consumer waits for its own database instead of consuming.",
            ["queue"],
            registry=registry,
        )

    def count_http(self, method: str, route: str, status_code: int, duration_s: float) -> None:
        """Count one answered request."""
        key = (method, route, status_code)
        series = self._http_series.get(key)
        if series is None:
            series = (self.http_requests.labels(*key), self.http_duration.labels(*key))
            self._http_series[key] = series
        requests, duration = series
        requests.inc()
        duration.observe(duration_s)
