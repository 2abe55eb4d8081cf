"""SQL of the index: what the log has for it, the messages as they are, rows written and taken away, positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.messages.store import TIMELINE_SEQ
from chatsdk_runtime.postgres import Connection, Transaction

_LOCK_KEY = 0x43534B53  # "CSKS": one indexer at a time


@dataclass(frozen=True, slots=True)
class LaneBehind:
    """A lane whose events in (pos, head] are not indexed yet."""

    lane: int
    pos: int
    head: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event as the indexer needs it; `body` only of the types that it asked for."""

    lane: int
    pos: int
    type: str
    app_id: UUID
    subject: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """A message that may be found."""

    id: UUID
    app_id: UUID
    channel_id: UUID
    user_id: str
    seq: int | None
    created_at: datetime
    has_attachment: bool
    text: str


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A message with its words (as `tsvector` text) and scopes (without spaces in between)."""

    message: LiveMessage
    words: str
    scope: Sequence[str]


async def lanes_behind(connection: Connection) -> list[LaneBehind]:
    """Lanes with numbered events that are not indexed."""
    return [LaneBehind(row["lane"], row["pos"], row["head"]) for row in await connection.fetch(_LANES_BEHIND)]


async def try_to_lead(tx: Transaction) -> bool:
    """Whether this transaction is the one that indexes; no other is until it ends."""
    is_ours: bool = await tx.fetchval("select pg_try_advisory_xact_lock($1)", _LOCK_KEY)
    return is_ours


async def wait_to_lead(tx: Transaction) -> None:
    """The same, waiting for the other one's end."""
    await tx.execute("select pg_advisory_xact_lock($1)", _LOCK_KEY)


async def read_log(
    tx: Transaction, lanes: Sequence[LaneBehind], limit: int, types: Sequence[str]
) -> list[LogEntry]:
    """The next events of each lane, `limit` of each at most, by lane and position."""
    rows = await tx.fetch(
        _READ_LOG,
        [one.lane for one in lanes],
        [one.pos for one in lanes],
        [one.head for one in lanes],
        limit,
        types,
    )
    return [
        LogEntry(row["lane"], row["lane_pos"], row["type"], row["app_id"], row["subject"], row["body"])
        for row in rows
    ]


async def move_positions(tx: Transaction, positions: Mapping[int, int]) -> None:
    """Remember how far lanes are indexed."""
    await tx.execute(_MOVE_POSITIONS, list(positions), list(positions.values()))


async def live_messages(connection: Connection, ids: Sequence[UUID]) -> list[LiveMessage]:
    """Those of these messages that may be found now."""
    return [
        LiveMessage(**{name: row[name] for name in LiveMessage.__slots__})
        for row in await connection.fetch(_LIVE, ids)
    ]


async def upsert(tx: Transaction, rows: Sequence[IndexRow]) -> None:
    """Write what is found of these messages from now on."""
    await tx.execute(
        _UPSERT,
        [row.message.id for row in rows],
        [row.message.app_id for row in rows],
        [row.message.channel_id for row in rows],
        [row.message.user_id for row in rows],
        [row.message.seq for row in rows],
        [row.message.created_at for row in rows],
        [row.message.has_attachment for row in rows],
        [row.words for row in rows],
        # An array of arrays would have to be rectangular: no key holds this character.
        ["\x1f".join(row.scope) for row in rows],
    )


async def remove(tx: Transaction, ids: Sequence[UUID]) -> None:
    """These messages are not found any more."""
    await tx.execute("delete from message_search where message_id = any($1::uuid[])", ids)


async def indexed_in(connection: Connection, scope: str, *, after: UUID, limit: int) -> list[UUID]:
    """Indexed messages of a scope by id, those behind one."""
    return [row["message_id"] for row in await connection.fetch(_INDEXED_IN, scope, after, limit)]


async def stored_messages(connection: Connection, *, after: UUID, limit: int) -> list[UUID]:
    """All messages by id, those behind one."""
    return [row["id"] for row in await connection.fetch(_STORED, after, limit)]


async def indexed_messages(connection: Connection, *, after: UUID, limit: int) -> list[UUID]:
    """All indexed messages by id, those behind one."""
    return [row["message_id"] for row in await connection.fetch(_INDEXED, after, limit)]


_LANES_BEHIND = """
select position.lane, position.pos, relay_lane.next_pos - 1 as head
from search_position as position
join relay_lane on relay_lane.lane = position.lane
where position.pos < relay_lane.next_pos - 1
order by position.lane
"""

_READ_LOG = """
select e.lane, e.lane_pos, e.type, e.app_id, e.subject, e.body
from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as behind (lane, pos, head)
cross join lateral (
  select lane, lane_pos, type, app_id, subject, case when type = any($5::text[]) then body end as body
  from event
  where lane = behind.lane and lane_pos > behind.pos and lane_pos <= behind.head
  order by lane_pos
  limit $4
) as e
order by e.lane, e.lane_pos
"""

_MOVE_POSITIONS = """
update search_position set pos = moved.pos
from unnest($1::smallint[], $2::bigint[]) as moved (lane, pos)
where search_position.lane = moved.lane
"""

# A message without a place in the channel or a thread is held, or its author's alone.
_LIVE = f"""
select m.id, m.app_id, m.channel_id, m.user_id, m.seq, m.created_at, m.attachments <> '[]'::jsonb as has_attachment, m.text
from message m
join channel on channel.id = m.channel_id
where m.id = any($1::uuid[]) and m.deleted_at is null and channel.deleted_at is null
  and (m.seq is not null or m.thread_seq is not null) and {TIMELINE_SEQ} > channel.truncated_seq
"""

_UPSERT = """
insert into message_search (
  message_id, app_id, channel_id, user_id, seq, created_at, has_attachment, words, scope
)
select message_id, app_id, channel_id, user_id, seq, created_at, has_attachment, words::tsvector,
  string_to_array(scope, e'\\x1f')
from unnest(
  $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::timestamptz[], $7::boolean[], $8::text[],
  $9::text[]
) as live (message_id, app_id, channel_id, user_id, seq, created_at, has_attachment, words, scope)
on conflict (message_id) do update
set seq = excluded.seq, has_attachment = excluded.has_attachment, words = excluded.words, scope = excluded.scope
"""

_INDEXED_IN = """
select message_id from message_search where scope @> array[$1] and message_id > $2 order by message_id limit $3
"""

_STORED = "select id from message where id > $1 order by id limit $2"

_INDEXED = "select message_id from message_search where message_id > $1 order by message_id limit $2"
