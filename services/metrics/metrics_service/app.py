"""The composition root: everything that the metrics service consists of is made here, and closed here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.health import Health, log_level_router, operations_router
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.logging import LogLevel
from chatsdk_runtime.loops import BackgroundLoops, Heartbeat
from chatsdk_runtime.migrations import migrate, schema_problem, until_schema_is_there
from chatsdk_runtime.postgres import (
    DATABASE_AWAY,
    Pool,
    connect,
    database_problem,
    open_pool,
    reading,
    transaction,
    transaction_on,
)
from chatsdk_runtime.rabbit import BROKER_AWAY
from chatsdk_runtime.reconcile import Reconciler
from chatsdk_runtime.redactions import RedactionReader
from chatsdk_runtime.server import Address, serve
from chatsdk_runtime.service_client import ChatClient, Redaction
from chatsdk_runtime.web import new_app
from metrics_service import store
from metrics_service.api import totals_router
from metrics_service.consumers import EventCounting, EventsConsumer
from metrics_service.documentation import describe
from metrics_service.exposition import RollupCollector
from metrics_service.instruments import MetricsInstruments
from metrics_service.settings import MetricsSettings

log = structlog.get_logger()

PACKAGE = "metrics_service"
VERSION = "0.1.0"
_MAINTENANCE_INTERVAL_S = 3_600.0
_MAINTENANCE_STEP_S = 10.0


@dataclass(frozen=True, slots=True)
class MetricsApps:
    """The two applications of one process, and what the probes look at."""

    public: FastAPI
    operations: FastAPI
    health: Health


async def run_migrations(settings: MetricsSettings) -> str:
    """Bring the database to the schema of this code; returns its revision."""
    url = settings.direct_url.get_secret_value()
    revision = await migrate(url, PACKAGE, partitioned=store.PARTITIONED)
    connection = await connect(url, application_name="metrics-migrate")
    try:
        async with transaction_on(connection) as tx:
            await store.make_partitions(tx, today=datetime.now(UTC).date())
    finally:
        await connection.close()
    return revision


async def run_service(settings: MetricsSettings, log_level: LogLevel) -> int:
    """Serve until told to stop; returns the exit code."""
    async with AsyncExitStack() as stack:
        apps = await compose(settings, log_level, stack)
        return await serve(
            apps.public,
            apps.operations,
            public_address=Address(settings.host, settings.port),
            operations_address=Address(settings.ops_host, settings.ops_port),
            health=apps.health,
            drain_timeout_s=settings.drain_timeout_s,
        )


async def compose(settings: MetricsSettings, log_level: LogLevel, stack: AsyncExitStack) -> MetricsApps:
    """Make every part; `stack` closes them. The loops run while the public application's lifespan does."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    runtime_instruments = RuntimeInstruments(registry)
    instruments = MetricsInstruments(registry)

    # No connection at start: while the database is away this process is not ready, but it runs and says why.
    pool = await open_pool(settings.database_url.get_secret_value(), application_name="metrics", min_size=0)
    stack.callback(pool.terminate)
    chat = ChatClient(settings.chat_internal_url, settings.service_token.get_secret_value())
    await chat.open()
    stack.push_async_callback(chat.close)
    rollups = RollupCollector(pool, max_apps=settings.max_apps, instruments=instruments)
    registry.register(rollups)

    health = Health(
        service="metrics",
        version=VERSION,
        loops=BackgroundLoops(outages=(*DATABASE_AWAY, *BROKER_AWAY)),
        log_level=log_level,
        registry=registry,
        ready_checks={
            "database": lambda: database_problem(pool),
            "schema": lambda: schema_problem(pool, PACKAGE),
        },
        before_scrape=rollups.refresh,
    )
    work = _Work(settings, pool, chat, runtime_instruments, instruments)
    public = new_app(
        title="ChatSDK metrics",
        version=VERSION,
        instruments=runtime_instruments,
        max_body_bytes=settings.max_body_bytes,
        lifespan=lambda _: _running(work, health),
    )
    public.include_router(totals_router(pool, chat))
    describe(public)
    operations = new_app(
        title="ChatSDK metrics operations",
        version=VERSION,
        instruments=runtime_instruments,
        max_body_bytes=settings.max_body_bytes,
        documented=False,
    )
    operations.include_router(operations_router(health))
    operations.include_router(log_level_router(health))
    if settings.is_development:
        public.include_router(operations_router(health))
    return MetricsApps(public, operations, health)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the background loops are made of."""

    settings: MetricsSettings
    pool: Pool
    chat: ChatClient
    runtime_instruments: RuntimeInstruments
    instruments: MetricsInstruments

    def start(self, loops: BackgroundLoops) -> None:
        events = EventCounting(self.pool, self.instruments, FaultPoints.parse(self.settings.fault_points))
        consumer = EventsConsumer(
            self.settings.rabbitmq_url.get_secret_value(),
            events,
            linger_s=self.settings.linger_ms / 1_000,
            instruments=self.runtime_instruments,
        )
        reconciler = Reconciler(
            self.chat,
            read_positions=self._positions,
            handle=events.handle_missing,
            interval_s=self.settings.reconcile_interval_s,
            grace_s=self.settings.reconcile_grace_s,
        )

        redactions = RedactionReader(
            self.chat,
            read_handled=self._positions,
            read_followed=self._followed,
            follow=self._follow,
            interval_s=self.settings.redactions_interval_s,
        )

        async def redact(heartbeat: Heartbeat) -> None:
            await until_schema_is_there(self.pool, PACKAGE, heartbeat)
            await redactions.run(heartbeat)

        async def consume(heartbeat: Heartbeat) -> None:
            await until_schema_is_there(self.pool, PACKAGE, heartbeat)
            await consumer.run(heartbeat)

        async def reconcile(heartbeat: Heartbeat) -> None:
            await until_schema_is_there(self.pool, PACKAGE, heartbeat)
            await reconciler.run(heartbeat)

        loops.start("events", consume)
        loops.start("reconcile", reconcile)
        loops.start("redactions", redact)
        loops.start("maintenance", self._maintain)

    async def _positions(self) -> dict[int, int]:
        async with reading(self.pool) as connection:
            return await store.positions(connection)

    async def _followed(self) -> int:
        async with reading(self.pool) as connection:
            return await store.redactions_followed(connection)

    async def _follow(self, redactions: Sequence[Redaction], up_to: int) -> None:
        present = {one.event_id: one.body for one in redactions if one.body is not None}
        async with transaction(self.pool) as tx:
            await store.redact_parked(tx, present, up_to)

    async def _maintain(self, heartbeat: Heartbeat) -> None:
        await until_schema_is_there(self.pool, PACKAGE, heartbeat)
        while True:
            today = datetime.now(UTC).date()
            async with transaction(self.pool) as tx:
                await store.make_partitions(tx, today=today)
            async with reading(self.pool) as connection:
                dropped = await store.drop_old_partitions(connection, today=today)
            if dropped:
                log.info("partitions_dropped", days=[day.isoformat() for day in dropped])
            for _ in range(int(_MAINTENANCE_INTERVAL_S / _MAINTENANCE_STEP_S)):
                heartbeat.beat()
                await asyncio.sleep(_MAINTENANCE_STEP_S)


@asynccontextmanager
async def _running(work: _Work, health: Health) -> AsyncIterator[None]:
    work.start(health.loops)
    health.started = True
    try:
        yield
    finally:
        await health.loops.stop()
