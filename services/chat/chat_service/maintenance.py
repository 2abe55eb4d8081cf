"""What has to be done now and then: partitions made ahead, old ones dropped, what has expired deleted, uses noted."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import structlog

from chat_service.auth.store import forget_revoked, note_key_uses
from chat_service.auth.verifier import TokenVerifier
from chat_service.collab.rules import OPS_REMEMBERED_DAYS
from chat_service.collab.store import forget_dropped
from chat_service.events import store
from chat_service.events.redaction_store import forget as forget_redactions
from chat_service.events.rules import LOG_KEPT_DAYS
from chat_service.jobs.cleanup import clean as clean_jobs
from chat_service.messages.detail_store import forget_expired_content
from chat_service.previews.rules import JOBS_KEPT_DAYS
from chat_service.previews.store import forget_jobs
from chat_service.screening.rules import VERDICTS_KEPT_DAYS
from chat_service.screening.store import forget_verdicts
from chat_service.sync.op_store import forget_results
from chat_service.uploads.cleanup import Cleaner
from chatsdk_runtime.idempotency import forget_expired
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.partitions import drop_partition, ensure_partitions, partition_days, retention_turn
from chatsdk_runtime.postgres import Connection, Pool, reading, transaction

log = structlog.get_logger()

PARTITIONED = ("event",)
OP_RESULTS_KEPT_DAYS = 90
_INTERVAL_S = 3_600.0
_STEP_S = 10.0


async def maintain(pool: Pool, heartbeat: Heartbeat, *, uploads: Cleaner | None = None) -> None:
    """Once at start, then every hour."""
    while True:
        today = datetime.now(UTC).date()
        async with transaction(pool) as tx:
            await ensure_partitions(tx, PARTITIONED, today=today)
        async with reading(pool) as connection:
            await forget_expired(connection)
            await forget_results(connection, before=datetime.now(UTC) - timedelta(days=OP_RESULTS_KEPT_DAYS))
            while await forget_expired_content(connection, datetime.now(UTC)):
                heartbeat.beat()
            while await forget_dropped(
                connection, before=datetime.now(UTC) - timedelta(days=OPS_REMEMBERED_DAYS)
            ):
                heartbeat.beat()
            await forget_revoked(connection)
            await forget_redactions(connection, before=datetime.now(UTC) - timedelta(days=LOG_KEPT_DAYS + 1))
            await _forget_screening(connection, datetime.now(UTC))
            async with retention_turn(connection) as is_ours:
                if is_ours:
                    await _drop_old_days(connection, before=today - timedelta(days=LOG_KEPT_DAYS))
                    if uploads is not None:
                        await uploads.clean(datetime.now(UTC), heartbeat.beat)
                        await clean_jobs(pool, uploads.objects, heartbeat.beat)
        for _ in range(int(_INTERVAL_S / _STEP_S)):
            heartbeat.beat()
            await asyncio.sleep(_STEP_S)


async def write_key_uses(pool: Pool, tokens: TokenVerifier, heartbeat: Heartbeat) -> None:
    """Write when keys were last used, each at most once a minute; calls wait for none of it."""
    while True:
        heartbeat.beat()
        await write_key_uses_once(pool, tokens)
        await asyncio.sleep(_STEP_S)


async def write_key_uses_once(pool: Pool, tokens: TokenVerifier) -> None:
    """The uses since the last time; lost when the database is away."""
    uses = tokens.take_key_uses()
    if uses:
        async with reading(pool) as connection:
            await note_key_uses(connection, uses)


async def _forget_screening(connection: Connection, now: datetime) -> None:
    while await forget_verdicts(connection, before=now - timedelta(days=VERDICTS_KEPT_DAYS)):
        pass
    while await forget_jobs(connection, before=now - timedelta(days=JOBS_KEPT_DAYS)):
        pass


async def _drop_old_days(connection: Connection, *, before: date) -> None:
    for day in await partition_days(connection, "event"):
        if day >= before:
            continue
        if await store.has_unpublished(connection, day):
            log.warning("partition_kept", day=day.isoformat(), reason="holds unpublished events")
            continue
        await drop_partition(connection, "event", day)
        log.info("partition_dropped", day=day.isoformat())
