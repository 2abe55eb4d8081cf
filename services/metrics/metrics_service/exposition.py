"""The exact totals as Prometheus families, rendered from the rollups in PostgreSQL.

Each scrape reads first (`refresh`), so every replica shows the same and nothing goes back after a restart;
while the database does not answer, the last known totals are shown. Dashboards take `max by`, never `sum`,
over replicas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading
from metrics_service import store
from metrics_service.instruments import MetricsInstruments

log = structlog.get_logger()

_READ_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class _Family:
    """How a series of the rollups is shown; `label` is the name of its second label, if it has one."""

    series: str
    help: str
    label: str | None = None
    is_gauge: bool = False


_FAMILIES: Final = (
    _Family("messages", "Messages sent.", "channel_type"),
    _Family("messages_updated", "Messages edited."),
    _Family("messages_deleted", "Messages deleted."),
    _Family("channels_created", "Channels created.", "type"),
    _Family("channels", "Channels that exist.", "type", is_gauge=True),
    _Family("users_created", "Users created."),
    _Family("reactions_added", "Reactions added."),
    _Family("reactions_removed", "Reactions removed."),
    _Family("workspaces", "Workspaces that exist.", is_gauge=True),
    _Family("polls_created", "Polls created."),
    _Family("poll_votes", "Votes cast in polls."),
    _Family("uploads", "Files uploaded.", "content_kind"),
    _Family("events", "Events, by type; ephemeral ones approximately.", "event_type"),
)


class RollupCollector(Collector):
    """Shows the totals that the latest `refresh` read."""

    def __init__(self, pool: Pool, *, max_apps: int, instruments: MetricsInstruments) -> None:
        self._pool = pool
        self._max_apps = max_apps
        self._instruments = instruments
        self._rollups: store.Rollups | None = None

    async def refresh(self) -> None:
        """Read the rollups; keeps the last known ones when the database does not answer in time."""
        try:
            async with asyncio.timeout(_READ_TIMEOUT_S), reading(self._pool) as connection:
                self._rollups = await store.read_rollups(connection, max_apps=self._max_apps)
        except DATABASE_AWAY as outage:
            self._instruments.rollups_stale.set(1)
            log.warning("rollups_stale", error=f"{type(outage).__name__}: {outage}")
        else:
            self._instruments.rollups_stale.set(0)

    def collect(self) -> Iterator[Metric]:
        """The families, in a fixed order; without samples until the first read."""
        rollups = self._rollups
        families = {family.series: (family, _empty(family)) for family in _FAMILIES}
        for key, value in sorted(rollups.totals.items()) if rollups is not None else ():
            known = families.get(key.series)
            if known is not None:
                family, metric = known
                metric.add_metric([key.app_id, key.label] if family.label else [key.app_id], value)
        yield from (metric for _, metric in families.values())
        apps = GaugeMetricFamily("chatsdk_apps_total", "Apps from which events came.")
        if rollups is not None:
            apps.add_metric([], rollups.apps)
        yield apps


def _empty(family: _Family) -> CounterMetricFamily | GaugeMetricFamily:
    labels = ["app_id", family.label] if family.label else ["app_id"]
    if family.is_gauge:
        return GaugeMetricFamily(f"chatsdk_{family.series}_total", family.help, labels=labels)
    return CounterMetricFamily(f"chatsdk_{family.series}", family.help, labels=labels)
