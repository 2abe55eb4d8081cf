"""SQL of screening: whether an app screens at all, in which version, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.screening.views import ScreeningVerdict
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def raise_version(tx: Transaction, app_id: AppId) -> None:
    """Count one more change of the app's list or hook; changes of one app follow one another by this."""
    await tx.execute(_RAISE_VERSION, UUID(app_id))


async def fetch_version(connection: Connection, app_id: AppId) -> int:
    """The version of the app's list and hook; 0 when it never had any."""
    version: int | None = await connection.fetchval(_FETCH_VERSION, UUID(app_id))
    return version or 0


async def fetch_channel_type(connection: Connection, app_id: AppId, channel_id: ChannelId) -> str | None:
    """The type of a channel, which never changes; None when the app has no such channel."""
    found: str | None = await connection.fetchval(_CHANNEL_TYPE, UUID(app_id), UUID(channel_id))
    return found


async def insert_verdicts(tx: Transaction, app_id: AppId, verdicts: Sequence[ScreeningVerdict]) -> None:
    """Write down what was decided."""
    await tx.execute(
        _INSERT,
        UUID(app_id),
        [UUID(one.id) for one in verdicts],
        [UUID(one.channel_id) for one in verdicts],
        [one.user_id for one in verdicts],
        [UUID(one.message_id) for one in verdicts],
        [one.kind for one in verdicts],
        [one.source for one in verdicts],
        [one.outcome for one in verdicts],
        [one.action for one in verdicts],
        [one.reason for one in verdicts],
        [one.duration_ms for one in verdicts],
        [one.created_at for one in verdicts],
    )


@dataclass(frozen=True, slots=True)
class VerdictFilter:
    """Which verdicts are asked for; None: whatever."""

    message_id: MessageId | None = None
    channel_id: ChannelId | None = None
    user_id: UserId | None = None


async def list_verdicts(
    connection: Connection,
    app_id: AppId,
    wanted: VerdictFilter,
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[ScreeningVerdict]:
    """The app's verdicts, the newest first."""
    at, verdict_id = before or (None, None)
    rows = await connection.fetch(
        _LIST,
        UUID(app_id),
        None if wanted.message_id is None else UUID(wanted.message_id),
        None if wanted.channel_id is None else UUID(wanted.channel_id),
        wanted.user_id,
        at,
        verdict_id,
        limit,
    )
    return [_verdict(row) for row in rows]


async def forget_verdicts(connection: Connection, *, before: datetime, limit: int = 5_000) -> int:
    """Delete verdicts past their time, at most `limit` at a time; returns how many."""
    return len(await connection.fetch(_FORGET, before, limit))


def _verdict(row: Row) -> ScreeningVerdict:
    return ScreeningVerdict(
        id=str(row["id"]),
        channel_id=ChannelId(str(row["channel_id"])),
        user_id=row["user_id"],
        message_id=MessageId(str(row["message_id"])),
        kind=row["kind"],
        source=row["source"],
        outcome=row["outcome"],
        action=row["action"],
        reason=row["reason"],
        duration_ms=row["duration_ms"],
        created_at=row["created_at"],
    )


_RAISE_VERSION = """
insert into app_screening (app_id, version)
values ($1, 1)
on conflict (app_id) do update set version = app_screening.version + 1
"""

_FETCH_VERSION = "select version from app_screening where app_id = $1"

_CHANNEL_TYPE = "select type from channel where app_id = $1 and id = $2"

_INSERT = """
insert into screening_verdict (
  app_id, id, channel_id, user_id, message_id, kind, source, outcome, action, reason, duration_ms, created_at
)
select $1, id, channel_id, user_id, message_id, kind, source, outcome, action, reason, duration_ms, created_at
from unnest(
  $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
  $11::int[], $12::timestamptz[]
) as new (id, channel_id, user_id, message_id, kind, source, outcome, action, reason, duration_ms, created_at)
"""

_LIST = """
select id, channel_id, user_id, message_id, kind, source, outcome, action, reason, duration_ms, created_at
from screening_verdict
where app_id = $1 and ($2::uuid is null or message_id = $2) and ($3::uuid is null or channel_id = $3)
  and ($4::text is null or user_id = $4)
  and ($5::timestamptz is null or (created_at, id) < ($5, $6::uuid))
order by created_at desc, id desc
limit $7
"""

_FORGET = """
delete from screening_verdict
where id in (select id from screening_verdict where created_at < $1 limit $2)
returning 1
"""
