"""SQL of search: which channels, the newest hits, all hits, and the messages as they are now.

Two ways to the hits. A *walk* looks at the newest messages one by one, which finds common words at once. The *index*
finds every hit and so suits rare words. Each is slow where the other is fast: `actions` walks first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.messages.store import TIMELINE_SEQ
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class Field:
    """Where to look. `channels` None is the whole app; the rest narrows, None does not."""

    app_id: AppId
    channels: Sequence[UUID] | None
    author: UserId | None
    since: datetime | None
    until: datetime | None
    has_attachment: bool | None
    before: tuple[datetime, UUID] | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that the index takes for a hit, with its place in the order of results."""

    message_id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Candidates:
    """The newest hits; `total` of them in all that was looked at, which `is_complete` says was everything."""

    newest: Sequence[Candidate]
    total: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A live message, as a result shows it."""

    id: MessageId
    channel_id: ChannelId
    channel_name: str | None
    user_id: UserId
    text: str
    seq: int | None
    created_at: datetime


def app_key(app_id: AppId) -> str:
    """The scope of everything in an app."""
    return f"apps/{app_id}"


def channel_key(channel_id: ChannelId | UUID) -> str:
    """The scope of a channel."""
    return subject_of("channels", str(channel_id))


def author_key(app_id: AppId, user_id: UserId) -> str:
    """The scope of what a user wrote."""
    return f"apps/{app_id}/{subject_of('users', user_id)}"


def files_key(app_id: AppId) -> str:
    """The scope of messages with attachments."""
    return f"apps/{app_id}/files"


async def plan_for_values(tx: Transaction) -> None:
    """Plan the statements of this transaction for their values: rare and common words need other roads."""
    await tx.execute(_PLAN_FOR_VALUES)


async def channels_of(connection: Connection, app_id: AppId, user_id: UserId) -> tuple[list[UUID], int]:
    """The user's channels, and about how many messages these hold."""
    rows = await connection.fetch(_CHANNELS_OF, UUID(app_id), user_id)
    return [row["id"] for row in rows], sum(row["message_count"] for row in rows)


async def walk_app(tx: Transaction, field: Field, tsquery: str, limit: int, steps: int) -> Candidates:
    """Hits among the newest messages of the app; `steps` is how many are looked at."""
    return _walked(await tx.fetch(_WALK_APP, *_values(field), tsquery, limit, steps), steps)


async def walk_channel(tx: Transaction, field: Field, tsquery: str, limit: int, steps: int) -> Candidates:
    """The same in the field's one channel."""
    return _walked(await tx.fetch(_WALK_CHANNEL, *_values(field), tsquery, limit, steps), steps)


async def walk_channels(tx: Transaction, field: Field, tsquery: str, limit: int, steps: int) -> Candidates:
    """The same in all of the field's channels, which together hold about `steps` messages at most."""
    return _walked(await tx.fetch(_WALK_CHANNELS, *_values(field), tsquery, limit, steps), steps)


async def all_hits(
    tx: Transaction, field: Field, tsquery: str, limit: int, *, within: Sequence[UUID]
) -> Candidates:
    """Every hit, by the index; `within` are channels (a few) that the index itself narrows to, or none."""
    required = [] if len(within) == 1 else [app_key(field.app_id)]
    required += [channel_key(within[0])] if len(within) == 1 else []
    required += [author_key(field.app_id, field.author)] if field.author is not None else []
    required += [files_key(field.app_id)] if field.has_attachment else []
    either = [channel_key(channel) for channel in within] if len(within) > 1 else None
    rows = await tx.fetch(_ALL_HITS, *_values(field), tsquery, limit, required, either)
    total = rows[0]["total"] if rows else 0
    return Candidates([_candidate(row) for row in rows], total, is_complete=True)


async def present_messages(
    connection: Connection, app_id: AppId, user_id: UserId | None, ids: Sequence[UUID]
) -> dict[UUID, FoundMessage]:
    """Those of these messages that are live now and not cleared by this user (None: a server), nor of whom they block."""
    rows = await connection.fetch(_PRESENT, ids, UUID(app_id), user_id)
    return {
        row["id"]: FoundMessage(
            id=MessageId(str(row["id"])),
            channel_id=ChannelId(str(row["channel_id"])),
            channel_name=row["channel_name"],
            user_id=row["user_id"],
            text=row["text"],
            seq=row["seq"],
            created_at=row["created_at"],
        )
        for row in rows
    }


def _values(field: Field) -> tuple[object, ...]:
    before_at, before_id = field.before or (None, None)
    return (
        UUID(field.app_id),
        field.channels,
        field.author,
        field.has_attachment,
        field.since,
        field.until,
        before_at,
        before_id,
    )


def _walked(rows: Sequence[Row], steps: int) -> Candidates:
    newest = [_candidate(row) for row in rows if row["message_id"] is not None]
    # One row is always there: it says how far the walk came.
    return Candidates(newest, rows[0]["total"], is_complete=rows[0]["walked"] < steps)


def _candidate(row: Row) -> Candidate:
    return Candidate(row["message_id"], row["created_at"])


_PLAN_FOR_VALUES = """
select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true)
"""

_CHANNELS_OF = """
select channel.id, channel.message_count
from channel_member as place
join channel on channel.id = place.channel_id
where place.app_id = $1 and place.user_id = $2 and channel.deleted_at is null
"""

_IN_TIME = """($5::timestamptz is null or created_at >= $5) and ($6::timestamptz is null or created_at < $6)
    and ($7::timestamptz is null or (created_at, message_id) < ($7, $8::uuid))"""

_IN_FIELD = """($2::uuid[] is null or channel_id = any($2)) and ($3::text is null or user_id = $3)
    and ($4::boolean is null or has_attachment = $4)"""


_WALK = f"""
with walked as materialized (
  select message_id, created_at, words @@ $9::text::tsquery and {_IN_FIELD} as is_hit
  from message_search
  where {_IN_TIME} and app_id = $1"""

_HITS_OF_WALK = """
  order by created_at desc, message_id desc
  limit $11
), counted as (
  select count(*) as walked, count(*) filter (where is_hit) as total from walked
)
select counted.walked, counted.total, hit.message_id, hit.created_at
from counted
left join lateral (
  select message_id, created_at from walked where is_hit order by created_at desc, message_id desc limit $10
) as hit on true
order by hit.created_at desc, hit.message_id desc
"""

_WALK_APP = f"{_WALK} {_HITS_OF_WALK}"

# An equality and no `any`: its index is in the order asked for.
_WALK_CHANNEL = f"{_WALK} and channel_id = ($2::uuid[])[1] {_HITS_OF_WALK}"

_WALK_CHANNELS = f"{_WALK} and channel_id = any($2::uuid[]) {_HITS_OF_WALK}"

_ALL_HITS = f"""
with hit as materialized (
  select message_id, created_at
  from message_search
  where words @@ $9::text::tsquery and scope @> $11::text[] and ($12::text[] is null or scope && $12)
    and app_id = $1 and {_IN_FIELD} and {_IN_TIME}
)
select message_id, created_at, count(*) over () as total
from hit
order by created_at desc, message_id desc
limit $10
"""

_PRESENT = f"""
select m.id, m.channel_id, channel.name as channel_name, m.user_id, m.text, m.seq, m.created_at
from message m
join channel on channel.id = m.channel_id
left join channel_member member on member.channel_id = m.channel_id and member.user_id = $3
where m.id = any($1::uuid[]) and m.app_id = $2 and m.deleted_at is null and channel.deleted_at is null
  and (m.seq is not null or m.thread_seq is not null)
  and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
  and not exists (
    select from user_block where app_id = $2 and user_id = $3 and blocked_id = m.user_id
  )
"""
