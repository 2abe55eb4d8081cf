"""The composition root: the only place where the parts meet."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import asyncpg
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from chatsdk_contracts.topology import CONTROL_EXCHANGE
from chatsdk_runtime.broadcast import Listener
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.health import Health, log_level_router, operations_router
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.logging import LogLevel
from chatsdk_runtime.loops import BackgroundLoops, Run
from chatsdk_runtime.migrations import schema_problem, until_schema_is_there
from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from chatsdk_runtime.outgoing.sender import Sender
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, database_problem, open_pool, reading
from chatsdk_runtime.rabbit import BROKER_AWAY
from chatsdk_runtime.reconcile import Reconciler
from chatsdk_runtime.redactions import RedactionReader
from chatsdk_runtime.server import Address, serve
from chatsdk_runtime.service_client import ChatClient
from chatsdk_runtime.web import new_app
from webhook_dispatcher import housekeeping
from webhook_dispatcher.access import caller_by
from webhook_dispatcher.deliveries.api import History, deliveries_router
from webhook_dispatcher.dispatch import store
from webhook_dispatcher.dispatch.consumers import PlanConsumer
from webhook_dispatcher.dispatch.deliver import BodyCache, Deliverer
from webhook_dispatcher.dispatch.expiry import Expiry
from webhook_dispatcher.dispatch.expunge import Expunger
from webhook_dispatcher.dispatch.ladder import ProbeWaits
from webhook_dispatcher.dispatch.plan import Planner
from webhook_dispatcher.dispatch.record import Recorder
from webhook_dispatcher.dispatch.sessions import Sessions
from webhook_dispatcher.dispatch.slots import SlotLimits
from webhook_dispatcher.dispatch.worker import Worker, WorkerLimits
from webhook_dispatcher.documentation import describe
from webhook_dispatcher.instruments import Instruments
from webhook_dispatcher.settings import Settings
from webhook_dispatcher.webhooks.actions import Registrar
from webhook_dispatcher.webhooks.api import webhooks_router

PACKAGE = "webhook_dispatcher"
_VERSION = version("chatsdk-webhook-dispatcher")

# What ends by itself: loops are run again after it.
_OUTAGES: tuple[type[BaseException], ...] = (
    *DATABASE_AWAY,
    *BROKER_AWAY,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
)
# The hot statements look rows up by key. A plan made while a table was empty must not scan it for ever after.
_LOOK_UPS = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
# A lease that a crash of PostgreSQL forgets is simply taken again; it need not wait for the disk.
_LEASES = {**_LOOK_UPS, "synchronous_commit": "off"}


@dataclass(slots=True)
class Parts:
    """What one process is made of, before it serves."""

    settings: Settings
    registry: CollectorRegistry
    runtime: RuntimeInstruments
    instruments: Instruments
    loops: BackgroundLoops
    health: Health


def assemble(settings: Settings, log_level: LogLevel) -> Parts:
    """The parts that need no connection."""
    registry = CollectorRegistry()
    loops = BackgroundLoops(outages=_OUTAGES)
    health = Health("chatsdk-webhook-dispatcher", _VERSION, loops, log_level, registry)
    return Parts(settings, registry, RuntimeInstruments(registry), Instruments(registry), loops, health)


async def run(settings: Settings, log_level: LogLevel) -> int:
    """Serve until told to stop; returns the exit code."""
    parts = assemble(settings, log_level)
    return await serve(
        public_app(parts),
        operations_app(parts),
        public_address=Address(settings.host, settings.port),
        operations_address=Address(settings.ops_host, settings.ops_port),
        health=parts.health,
        drain_timeout_s=settings.drain_timeout_s,
    )


def operations_app(parts: Parts) -> FastAPI:
    """The private port."""
    app = new_app(
        title="ChatSDK webhook dispatcher: operations",
        version=_VERSION,
        instruments=parts.runtime,
        max_body_bytes=parts.settings.max_body_bytes,
        documented=False,
    )
    app.include_router(operations_router(parts.health))
    app.include_router(log_level_router(parts.health))
    return app


def public_app(parts: Parts) -> FastAPI:
    """The public port; its lifespan owns every resource and loop."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _start(app, parts, stack)
            parts.health.started = True
            yield

    app = new_app(
        title="ChatSDK webhook dispatcher",
        version=_VERSION,
        instruments=parts.runtime,
        max_body_bytes=parts.settings.max_body_bytes,
        lifespan=lifespan,
    )
    describe(app)
    if parts.settings.is_development:
        app.include_router(operations_router(parts.health))
    return app


async def _start(app: FastAPI, parts: Parts, stack: AsyncExitStack) -> None:
    settings = parts.settings
    pool = await _open_pool(settings, stack, "webhook-dispatcher", _LOOK_UPS, 10)
    lease_pool = await _open_pool(settings, stack, "webhook-dispatcher-leases", _LEASES, 4)
    await until_schema_is_there(pool, PACKAGE)
    keyring = Keyring.parse(settings.master_keys.get_secret_value())
    policy = AddressPolicy(allowed_networks=settings.networks)
    sender = await stack.enter_async_context(Sender(policy, allow_http=settings.allow_http))
    chat = ChatClient(settings.chat_internal_url, settings.service_token.get_secret_value())
    await chat.open()
    stack.push_async_callback(chat.close)
    worker = _start_dispatch(parts, (pool, lease_pool), keyring, sender, chat, stack)
    registrar = Registrar(pool, keyring, sender, policy, settings.allow_http, settings.request_timeout_s)
    caller = caller_by(chat)
    app.include_router(webhooks_router(registrar, worker.wake, caller))
    app.include_router(deliveries_router(History(pool, keyring, worker.wake), caller))
    parts.health.ready_checks = {
        "database": partial(database_problem, pool),
        "schema": partial(schema_problem, pool, PACKAGE),
    }
    parts.health.before_scrape = partial(_measure_pending, pool, parts.instruments)


def _start_dispatch(
    parts: Parts,
    pools: tuple[Pool, Pool],
    keyring: Keyring,
    sender: Sender,
    chat: ChatClient,
    stack: AsyncExitStack,
) -> Worker:
    settings, (pool, lease_pool) = parts.settings, pools
    bodies = BodyCache()
    sessions = Sessions(lease_pool, renew_s=settings.session_renew_s, dead_after_s=settings.session_dead_s)
    limits = WorkerLimits(
        SlotLimits(settings.max_in_flight, settings.max_in_flight_per_endpoint, settings.app_weights),
        settings.poll_interval_s,
        probe_lease_s=settings.request_timeout_s + settings.session_dead_s,
    )
    deliverer = Deliverer(
        pool,
        keyring,
        sender,
        quick_unit_s=settings.retry_unit_s,
        chance=random.random,
        timeout_s=settings.request_timeout_s,
        bodies=bodies,
    )
    worker = Worker(
        lease_pool,
        sessions,
        deliverer,
        Recorder(
            pool,
            probe_waits=ProbeWaits(settings.probe_first_s, settings.probe_most_s),
            chance=random.random,
        ),
        limits=limits,
        instruments=parts.instruments,
        fault_points=settings.fault_points,
    )
    planner = Planner(
        pool,
        bodies,
        instruments=parts.instruments,
        fault_points=settings.fault_points,
        on_planned=worker.wake,
    )
    consumer = PlanConsumer(settings.rabbitmq_url.get_secret_value(), pool, planner, parts.runtime)
    reconciler = Reconciler(
        chat,
        read_positions=consumer.positions,
        handle=consumer.missing,
        interval_s=settings.reconcile_interval_s,
        grace_s=settings.reconcile_grace_s,
    )
    expunger = Expunger(pool, bodies)
    redactions = RedactionReader(
        chat,
        read_handled=consumer.positions,
        read_followed=expunger.followed,
        follow=expunger.follow,
        interval_s=settings.redactions_interval_s,
    )
    # Undone in reverse: finish what is under way, end the loops, give back what is leased.
    stack.push_async_callback(sessions.close)
    stack.push_async_callback(parts.loops.stop)
    stack.push_async_callback(worker.drain, settings.drain_timeout_s)
    runs: dict[str, Run] = {
        "session": sessions.run,
        "record": worker.run_records,
        "send": worker.run_sends,
        "claim": worker.run_claims,
        "plan": consumer.run,
        "reconcile": reconciler.run,
        "redactions": redactions.run,
        "control": _control_listener(settings, chat).run,
        "expiry": Expiry(pool, parts.instruments, settings.held_limit).run,
        "housekeeping": partial(housekeeping.run, pool, deliverer, settings.retention_days),
    }
    for name, loop in runs.items():
        parts.loops.start(name, loop)
    return worker


def _control_listener(settings: Settings, chat: ChatClient) -> Listener:
    """Whatever chat tells there, a credential may be meant: asking again costs little."""
    return Listener(
        settings.rabbitmq_url.get_secret_value(),
        CONTROL_EXCHANGE,
        name="webhook-dispatcher-control",
        hear=lambda _body: chat.forget_credentials(),
        on_gap=chat.forget_credentials,
    )


async def _open_pool(
    settings: Settings, stack: AsyncExitStack, name: str, server_settings: dict[str, str], size: int
) -> Pool:
    pool = await open_pool(
        settings.database_dsn,
        application_name=name,
        min_size=0,
        max_size=size,
        server_settings=server_settings,
    )
    stack.callback(pool.terminate)
    return pool


async def _measure_pending(pool: Pool, instruments: Instruments) -> None:
    try:
        async with reading(pool) as connection:
            counts = await store.count_unfinished(connection)
    except DATABASE_AWAY:
        return  # the last values stay; readiness says what is wrong
    for state, count in counts.items():
        instruments.pending.labels(state).set(count)
