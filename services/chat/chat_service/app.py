"""The composition root of the chat service: everything is made here, handed down, and closed here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from chat_service import maintenance
from chat_service.auth.revocation import heard
from chat_service.auth.verifier import TokenVerifier
from chat_service.channels.sweep import Sweep
from chat_service.documentation import describe
from chat_service.erasure import work as erasure
from chat_service.events import feed, store
from chat_service.events.control import ControlChannel
from chat_service.events.ephemeral import EphemeralChannel
from chat_service.events.relay import Relay, RelayTimes
from chat_service.exports import writing as exports
from chat_service.imports import work as imports
from chat_service.imports.api import body_limit
from chat_service.instruments import ChatInstruments
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import Job, JobKind
from chat_service.jobs.worker import JobWorker
from chat_service.limits.limiter import Limiter
from chat_service.messages.writer import MessageWriter
from chat_service.moderation.expiry import end_bans
from chat_service.notifications.telling import NotificationTeller
from chat_service.polls.closing import close_polls
from chat_service.presence.actions import times_of
from chat_service.presence.reaping import Reaper
from chat_service.presence.roster import Roster
from chat_service.presence.telling import PresenceTeller
from chat_service.presence.watching import Watches
from chat_service.previews.looking import PreviewLoop
from chat_service.reads.telling import tell_receipts
from chat_service.realtime.connection import SocketLimits
from chat_service.realtime.consumers import RealtimeConsumer
from chat_service.realtime.following import Following
from chat_service.realtime.guarding import SocketGuard
from chat_service.realtime.heartbeat import SocketHeartbeat
from chat_service.realtime.hiding import SocketBlocks
from chat_service.realtime.hub import Hub
from chat_service.realtime.session import Realtime
from chat_service.resources import Resources
from chat_service.retention.expiry import Expiry
from chat_service.routers import ROUTERS
from chat_service.screening.gate import Gate
from chat_service.screening.known import is_about_screening
from chat_service.search.indexer import index_log
from chat_service.settings import ChatSettings
from chat_service.strangers import Strangers
from chat_service.typists.ledger import Typists
from chat_service.uploads.api import body_limits
from chat_service.uploads.cleanup import Cleaner, Lifetimes
from chat_service.uploads.depot import Depot, limits_of
from chatsdk_contracts.control import BlocksChanged, ControlEvent, SettingsChanged
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.health import Health, log_level_router, operations_router
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.logging import LogLevel
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.migrations import migrate, schema_problem, until_schema_is_there
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, database_problem, open_pool, reading
from chatsdk_runtime.rabbit import BROKER_AWAY
from chatsdk_runtime.server import Address, serve
from chatsdk_runtime.web import new_app

log = structlog.get_logger()

PACKAGE = "chat_service"
VERSION = "0.1.0"


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
        larger_bodies=[*body_limits(limits_of(settings)), body_limit(settings.import_bytes)],
        lifespan=service.running,
    )
    for router in ROUTERS:
        public.include_router(router)
    describe(public)
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
        epoch, faults = await self._epoch(), self._faults()
        relay = self._relay(faults)
        writer = MessageWriter(
            settings.direct_url,
            writers=settings.writers,
            queue_limit=settings.write_queue_limit,
            epoch=epoch,
            wake_relay=relay.wake,
            instruments=self._instruments,
            faults=faults,
        )
        depot = Depot.open(settings, self._instruments.files)
        strangers = Strangers.open(settings)
        keyring = Keyring.parse(settings.master_keys.get_secret_value())
        typists, teller = self._start_ephemeral(epoch)
        tokens = TokenVerifier(self._pool, keyring)
        control = ControlChannel(settings.rabbitmq_url.get_secret_value(), epoch)
        limiter = self._start_limiter()
        resources = Resources(
            settings=settings,
            pool=self._pool,
            keyring=keyring,
            epoch=epoch,
            tokens=tokens,
            control=control,
            wake_relay=relay.wake,
            writer=writer,
            depot=depot,
            typists=typists,
            presence=teller,
            limiter=limiter,
            screening=Gate.open(settings, self._pool, keyring, strangers.hooks, self._instruments.screening),
        )
        public.state.resources = resources
        public.state.realtime = realtime = self._start_realtime(resources)
        if self.operations is not None:
            self.operations.state.resources = resources
        self._start_loops(relay, writer, depot, strangers, epoch)
        self._start_control(resources, realtime)
        self._health.started = True
        try:
            yield
        finally:
            await loops.stop()
            await realtime.roster.leave()
            await strangers.close()
            await _resign(relay)

    def _relay(self, faults: FaultPoints) -> Relay:
        settings = self._settings
        return Relay(
            self._pool,
            direct_url=settings.direct_url,
            rabbitmq_url=settings.rabbitmq_url.get_secret_value(),
            times=RelayTimes(poll_s=settings.relay_poll_interval_s, lease_s=settings.lane_lease_s),
            instruments=self._instruments.relay,
            faults=faults,
        )

    def _start_loops(
        self, relay: Relay, writer: MessageWriter, depot: Depot, strangers: Strangers, epoch: int
    ) -> None:
        """What works on the log and the database beside the calls."""
        loops = self._health.loops
        loops.start("relay-lead", relay.lead)
        loops.start("relay-number", relay.number)
        loops.start("relay-publish", relay.publish)
        for number, lane in enumerate(writer.lanes):
            loops.start(f"writer-{number}", lane.run)
        loops.start("search-index", partial(index_log, self._pool, self._instruments.search))
        loops.start("poll-closing", partial(close_polls, self._pool, epoch, relay.wake))
        loops.start("ban-expiry", partial(end_bans, self._pool, epoch, relay.wake))
        loops.start("receipts", partial(tell_receipts, self._pool, epoch, relay.wake))
        loops.start("sweep", Sweep(self._pool, epoch=epoch, wake_relay=relay.wake).run)
        expiry = Expiry(
            self._pool, epoch=epoch, interval_s=self._settings.retention_interval_s, wake_relay=relay.wake
        )
        loops.start("retention", expiry.run)
        previews = PreviewLoop.open(
            self._settings, self._pool, strangers.pages, epoch, relay.wake, self._instruments.previews
        )
        loops.start("link-previews", previews.run)
        teller = NotificationTeller.open(self._settings, self._pool, epoch, relay.wake)
        loops.start("notifications", teller.run)
        self._start_jobs(relay, depot, epoch)
        loops.start("maintenance", partial(maintenance.maintain, self._pool, uploads=self._cleaner(depot)))

    def _start_ephemeral(self, epoch: int) -> tuple[Typists, PresenceTeller]:
        """What tells of typing and presence."""
        settings, instruments, loops = self._settings, self._instruments, self._health.loops
        channel = EphemeralChannel(settings.rabbitmq_url.get_secret_value(), instruments.ephemeral)
        typists = Typists(channel, instruments.presence, epoch=epoch, lifetime_s=settings.typing_lifetime_s)
        loops.start("ephemeral-publish", channel.publish)
        loops.start("typing", typists.run)
        return typists, PresenceTeller(channel, instruments.presence, epoch=epoch)

    def _start_limiter(self) -> Limiter:
        """What counts this replica's calls, together with the others."""
        settings = self._settings
        limiter = Limiter(
            self._pool,
            self._instruments.limits,
            factor=settings.rate_limit_factor,
            most_keys=settings.rate_limit_keys,
            answer_s=settings.rate_limit_answer_s,
        )
        self._health.loops.start("rate-limits", limiter.run)
        return limiter

    def _start_realtime(self, resources: Resources) -> Realtime:
        """The hub of this replica's sockets, with what feeds it."""
        settings, loops, instruments = self._settings, self._health.loops, self._instruments.realtime
        hub = Hub(self._pool, instruments, large_from=settings.large_channel_members)
        following = Following(hub, self._pool, resources.keyring)
        watches = Watches(self._pool, self._instruments.presence)
        consumer = RealtimeConsumer(settings.rabbitmq_url.get_secret_value(), hub, watches)
        hub.binder = watches.binder = consumer
        hub.on_typing, hub.on_presence = resources.typists.heard, watches.changed
        beat = SocketHeartbeat(hub, following, self._pool, interval_s=settings.heartbeat_interval_s)
        times = times_of(settings)
        roster = Roster(self._pool, resources.presence, times)
        reaper = Reaper(self._pool, resources.presence, times, self._instruments.presence)
        blocks = SocketBlocks(hub, self._pool)
        loops.start("realtime", consumer.run)
        loops.start("socket-blocks", blocks.run)
        loops.start("realtime-heartbeat", beat.run)
        loops.start("realtime-crowds", hub.gather)
        loops.start("presence-watches", watches.run)
        loops.start("presence-roster", roster.run)
        loops.start("presence-reaper", reaper.run)

        async def drain() -> None:
            await hub.drain(spread_ms=settings.reconnect_spread_ms)

        self._health.before_drain = drain
        return Realtime(
            hub,
            following,
            watches,
            roster,
            SocketLimits(),
            settings.heartbeat_interval_s,
            settings.sockets_per_user,
            instruments.closes,
            blocks,
        )

    def _start_control(self, resources: Resources, realtime: Realtime) -> None:
        """Tell the other replicas what is revoked, chosen or blocked, and hear it from them."""
        control, tokens = resources.control, resources.tokens
        limiter, gate = resources.limiter, resources.screening
        guard, blocks = SocketGuard(realtime.hub, tokens), realtime.blocks

        def hear(event: ControlEvent) -> None:
            if isinstance(event, BlocksChanged):
                blocks.changed(event.appid, event.data.user_id)
            revocation = heard(event)
            if revocation is not None:
                tokens.revoked(revocation)
            if isinstance(event, SettingsChanged):
                limiter.forget(event.appid)
            if is_about_screening(event):
                gate.forget(event.appid)

        def doubt() -> None:
            tokens.forget()
            limiter.forget()
            gate.forget()
            guard.doubt_all()
            blocks.doubt_all()

        tokens.on_revoked(guard.revoked)
        loops = self._health.loops
        loops.start("socket-guard", guard.run)
        loops.start("control-publish", control.publish)
        loops.start("control-listen", control.listener(hear, doubt).run)
        loops.start("key-uses", partial(maintenance.write_key_uses, self._pool, tokens))

    def _start_jobs(self, relay: Relay, depot: Depot, epoch: int) -> None:
        """What erases, exports and imports: a loop for each, so that none waits for a long one of another kind."""
        settings = self._settings
        kept_for = timedelta(hours=settings.export_kept_hours)
        advance: dict[JobKind, Callable[[Bench, Job], Awaitable[Job]]] = {
            "erase": erasure.advance,
            "export": partial(exports.advance, kept_for),
            "import": imports.advance,
        }
        for kind, do in advance.items():
            bench = Bench(self._pool, depot.objects, epoch, settings.job_lease_s)
            worker = JobWorker(
                bench,
                {kind: partial(do, bench)},
                poll_s=settings.job_poll_interval_s,
                wake_relay=relay.wake,
                instruments=self._instruments.jobs,
            )
            self._health.loops.start(f"jobs-{kind}", worker.run, stale_after_s=120.0)

    def _cleaner(self, depot: Depot) -> Cleaner:
        lifetimes = Lifetimes(
            pending=timedelta(hours=self._settings.upload_pending_hours),
            unlinked=timedelta(days=self._settings.upload_unlinked_days),
        )
        return Cleaner(self._pool, depot.objects, lifetimes)

    def _faults(self) -> FaultPoints:
        return FaultPoints.parse(self._settings.fault_points if self._settings.is_development else "")

    async def _epoch(self) -> int:
        """The database's epoch, once there is a database with a schema: without it there is nothing to serve."""
        await until_schema_is_there(self._pool, PACKAGE)
        async with reading(self._pool) as connection:
            return await store.read_epoch(connection)


async def _resign(relay: Relay) -> None:
    try:
        await relay.resign()
    except DATABASE_AWAY as outage:
        log.info("resign_failed", error=str(outage))
