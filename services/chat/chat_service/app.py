"""The composition root of the chat service: everything is made here, handed down, and closed here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from chat_service import discovery, maintenance
from chat_service.apps.api import router as apps_router
from chat_service.auth.api import router as auth_router
from chat_service.auth.verifier import TokenVerifier
from chat_service.channels.api import router as channels_router
from chat_service.channels.members_api import router as members_router
from chat_service.events import feed, store
from chat_service.events.relay import Relay, RelayTimes
from chat_service.instruments import ChatInstruments
from chat_service.messages.api import router as messages_router
from chat_service.messages.writer import MessageWriter
from chat_service.polls.api import router as polls_router
from chat_service.polls.closing import close_polls
from chat_service.resources import Resources
from chat_service.search.api import router as search_router
from chat_service.search.indexer import index_log
from chat_service.settings import ChatSettings
from chat_service.users.api import router as users_router
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.health import Health, log_level_router, operations_router
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.logging import LogLevel
from chatsdk_runtime.loops import BackgroundLoops, Heartbeat
from chatsdk_runtime.migrations import migrate, schema_problem, until_schema_is_there
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, database_problem, open_pool, reading
from chatsdk_runtime.rabbit import BROKER_AWAY
from chatsdk_runtime.server import Address, serve
from chatsdk_runtime.web import new_app

log = structlog.get_logger()

PACKAGE = "chat_service"
VERSION = "0.1.0"
# Tried one after the other for every request, each with its routes: sends come first, being most calls.
_ROUTERS = (
    messages_router,
    channels_router,
    members_router,
    polls_router,
    search_router,
    users_router,
    auth_router,
    apps_router,
    discovery.router,
)


@dataclass(frozen=True, slots=True)
class ChatApps:
    """The two applications of one process, and what the probes look at."""

    public: FastAPI
    operations: FastAPI
    health: Health


async def run_migrations(settings: ChatSettings) -> str:
    """Bring the database to the schema of this code; returns its revision."""
    return await migrate(settings.direct_url, PACKAGE, partitioned=maintenance.PARTITIONED)


async def run_service(settings: ChatSettings, log_level: LogLevel) -> int:
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


async def compose(settings: ChatSettings, log_level: LogLevel, stack: AsyncExitStack) -> ChatApps:
    """Make every part; `stack` closes them. The loops run while the public application's lifespan does."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    runtime_instruments = RuntimeInstruments(registry)
    pool = await open_pool(
        settings.database_url, application_name="chat", min_size=0, max_size=settings.pool_size
    )
    stack.callback(pool.terminate)
    health = Health(
        service="chat",
        version=VERSION,
        loops=BackgroundLoops(outages=(*DATABASE_AWAY, *BROKER_AWAY)),
        log_level=log_level,
        registry=registry,
        # The broker is not among them: the log takes everything while it is away.
        ready_checks={
            "database": lambda: database_problem(pool),
            "schema": lambda: schema_problem(pool, PACKAGE),
        },
    )
    service = _Service(settings, pool, ChatInstruments(registry), health)
    public = new_app(
        title="ChatSDK chat",
        version=VERSION,
        instruments=runtime_instruments,
        max_body_bytes=settings.max_body_bytes,
        lifespan=service.running,
    )
    for router in _ROUTERS:
        public.include_router(router)
    operations = new_app(
        title="ChatSDK chat operations",
        version=VERSION,
        instruments=runtime_instruments,
        max_body_bytes=settings.max_body_bytes,
        documented=False,
    )
    operations.include_router(operations_router(health))
    operations.include_router(log_level_router(health))
    operations.include_router(feed.router)
    service.operations = operations
    if settings.is_development:
        public.include_router(operations_router(health))
    return ChatApps(public, operations, health)


class _Service:
    """The life of the process between start and stop."""

    def __init__(
        self, settings: ChatSettings, pool: Pool, instruments: ChatInstruments, health: Health
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._instruments = instruments
        self._health = health
        self.operations: FastAPI | None = None

    @asynccontextmanager
    async def running(self, public: FastAPI) -> AsyncIterator[None]:
        """The public application's lifespan."""
        settings, loops = self._settings, self._health.loops
        epoch = await self._epoch()
        faults = FaultPoints.parse(settings.fault_points if settings.is_development else "")
        relay = Relay(
            self._pool,
            direct_url=settings.direct_url,
            rabbitmq_url=settings.rabbitmq_url.get_secret_value(),
            times=RelayTimes(poll_s=settings.relay_poll_interval_s, lease_s=settings.lane_lease_s),
            instruments=self._instruments,
            faults=faults,
        )
        writer = MessageWriter(
            settings.direct_url,
            writers=settings.writers,
            queue_limit=settings.write_queue_limit,
            epoch=epoch,
            wake_relay=relay.wake,
            instruments=self._instruments,
            faults=faults,
        )
        keyring = Keyring.parse(settings.master_keys.get_secret_value())
        resources = Resources(
            settings=settings,
            pool=self._pool,
            keyring=keyring,
            epoch=epoch,
            tokens=TokenVerifier(self._pool, keyring),
            wake_relay=relay.wake,
            writer=writer,
        )
        public.state.resources = resources
        if self.operations is not None:
            self.operations.state.resources = resources
        loops.start("relay-lead", relay.lead)
        loops.start("relay-number", relay.number)
        loops.start("relay-publish", relay.publish)
        for number, lane in enumerate(writer.lanes):
            loops.start(f"writer-{number}", lane.run)
        loops.start("maintenance", self._maintain)
        loops.start("search-index", partial(index_log, self._pool, self._instruments.search))
        loops.start("poll-closing", partial(close_polls, self._pool, epoch, relay.wake))
        self._health.started = True
        try:
            yield
        finally:
            await loops.stop()
            await _resign(relay)

    async def _epoch(self) -> int:
        """The database's epoch, once there is a database with a schema: without it there is nothing to serve."""
        await until_schema_is_there(self._pool, PACKAGE)
        async with reading(self._pool) as connection:
            return await store.read_epoch(connection)

    async def _maintain(self, heartbeat: Heartbeat) -> None:
        await maintenance.maintain(self._pool, heartbeat)


async def _resign(relay: Relay) -> None:
    try:
        await relay.resign()
    except DATABASE_AWAY as outage:
        log.info("resign_failed", error=str(outage))
