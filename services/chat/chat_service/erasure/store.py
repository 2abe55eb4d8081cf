"""SQL of erasing what a user wrote: messages, reactions, and what the log tells of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.messages.store import COLUMNS, message_of
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Row, Transaction

FIRST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Scanned:
    """A part of all channels: up to `last` they were looked at, and `found` is the next one with something."""

    found: ChannelId | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """A locked channel's version, and whether anybody is still told of it."""

    cv: int
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A message that the user wrote, the events that carry it, and whether it was purged before."""

    message: Message
    event_ids: Sequence[UUID]
    is_purged: bool


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction of the user, and the counts of its message (None: they are told to nobody)."""

    message_id: MessageId
    type: str
    counts: Mapping[str, int] | None


async def scan_channels(
    connection: Connection, app_id: AppId, user_id: UserId, *, after: str, limit: int
) -> Scanned:
    """The next channel, by id, in which the user ever wrote; deleted ones too. Looks at so many channels at most."""
    row = await connection.fetchrow(_SCAN_CHANNELS, UUID(app_id), user_id, UUID(after), limit)
    assert row is not None, "an aggregate has a row"
    found = None if row["found"] is None else ChannelId(str(row["found"]))
    return Scanned(found, None if row["last"] is None else str(row["last"]))


async def empty_deleted_channels(
    tx: Transaction, app_id: AppId, user_id: UserId, *, after: str, up_to: str
) -> int:
    """Take their names from deleted channels that the user made; returns of how many."""
    return len(await tx.fetch(_EMPTY_DELETED, UUID(app_id), user_id, UUID(after), UUID(up_to)))


async def lock_head(tx: Transaction, channel_id: ChannelId) -> Head:
    """Lock a channel, also a deleted one."""
    row = await tx.fetchrow(_LOCK_HEAD, UUID(channel_id))
    return Head(0, is_deleted=True) if row is None else Head(row["cv"], row["is_deleted"])


async def write_cv(tx: Transaction, channel_id: ChannelId, cv: int) -> None:
    """Write a locked channel's version."""
    await tx.execute("update channel set cv = $2 where id = $1", UUID(channel_id), cv)


@dataclass(frozen=True, slots=True)
class Unerased:
    """Messages of the user in one channel, and what the client called the last of them (None: these are all)."""

    ids: Sequence[UUID]
    last_name: str | None


async def find_messages(
    connection: Connection, channel_id: ChannelId, user_id: UserId, *, after: str, limit: int
) -> Unerased:
    """The user's messages behind a client id that are not erased yet; without the channel's lock, for it may take long."""
    rows = await connection.fetch(_FIND_MESSAGES, UUID(channel_id), user_id, after, limit)
    last = rows[-1]["client_msg_id"] if len(rows) == limit else None
    return Unerased([row["id"] for row in rows], last)


async def fetch_messages(tx: Transaction, ids: Sequence[UUID]) -> list[Written]:
    """Those of these messages of a locked channel that are not erased yet."""
    rows = await tx.fetch(_FETCH_MESSAGES, ids)
    return [Written(message_of(row), row["event_ids"], row["is_purged"]) for row in rows]


async def custom_types_of(tx: Transaction, user_id: UserId, ids: Sequence[UUID]) -> set[str]:
    """The reaction types of the app's own making with which the user reacted to these messages."""
    return {row["type"] for row in await tx.fetch(_CUSTOM_TYPES, ids, user_id)}


async def fetch_bodies(tx: Transaction, event_ids: Sequence[UUID]) -> Mapping[UUID, bytes]:
    """The logged bytes of these events, as far as the log still has them."""
    if not event_ids:
        return {}
    rows = await tx.fetch(_FETCH_BODIES, event_ids, min(event_ids), max(event_ids))
    return {row["id"]: row["body"] for row in rows}


async def erase_messages(tx: Transaction, messages: Sequence[Message], now: datetime) -> None:
    """Leave the rows' places and nothing of what was said, of what it was called, or of what others made of it."""
    await tx.execute(
        _ERASE_MESSAGES,
        [UUID(message.id) for message in messages],
        [message.cv for message in messages],
        [message.version for message in messages],
        [message.client_msg_id for message in messages],
        now,
    )


async def next_reacted_channel(connection: Connection, app_id: AppId, user_id: UserId) -> ChannelId | None:
    """A channel with a reaction of the user."""
    found = await connection.fetchval(_NEXT_REACTED, UUID(app_id), user_id)
    return None if found is None else ChannelId(str(found))


async def reactions_of(
    tx: Transaction, app_id: AppId, user_id: UserId, channel_id: ChannelId, *, limit: int
) -> list[Reacted]:
    """The user's reactions in a locked channel."""
    rows = await tx.fetch(_REACTIONS_OF, UUID(app_id), user_id, UUID(channel_id), limit)
    return [_reacted(row) for row in rows]


async def erase_reactions(
    tx: Transaction,
    user_id: UserId,
    reactions: Sequence[Reacted],
    counted: Mapping[MessageId, tuple[Mapping[str, int], int]],
) -> None:
    """Delete these reactions, and write the counts and versions that their messages have then."""
    await tx.execute(
        _ERASE_REACTIONS,
        [UUID(one.message_id) for one in reactions],
        [one.type for one in reactions],
        user_id,
        [UUID(message_id) for message_id in counted],
        [orjson.dumps(counts).decode() for counts, _ in counted.values()],
        [cv for _, cv in counted.values()],
    )


async def types_in_use(connection: Connection, app_id: AppId, types: Collection[str]) -> set[str]:
    """Which of these reaction types anybody in the app uses."""
    if not types:
        return set()
    return {row["type"] for row in await connection.fetch(_TYPES_IN_USE, UUID(app_id), list(types))}


@dataclass(frozen=True, slots=True)
class LogPart:
    """A part of the log in the order of ids: what may tell of the user in it, and the last id (None: the end)."""

    bodies: Mapping[UUID, bytes]
    last: str | None


async def read_log(
    connection: Connection,
    app_id: AppId,
    needles: Sequence[bytes],
    *,
    after: str,
    until: str,
    limit: int,
) -> LogPart:
    """The events behind an id, so many at most; with their bytes those of the app in which a needle is found.

    Votes come all: that they are in somebody's poll stands in the poll's message only.
    """
    last = await connection.fetchval(_LOG_UP_TO, UUID(after), UUID(until), limit)
    if last is None:
        return LogPart({}, None)
    rows = await connection.fetch(_LOG_PART, UUID(app_id), UUID(after), last, list(needles))
    return LogPart({row["id"]: row["body"] for row in rows}, str(last))


async def written_by(connection: Connection, user_id: UserId, message_ids: Collection[str]) -> frozenset[str]:
    """Which of these messages the user wrote."""
    if not message_ids:
        return frozenset()
    rows = await connection.fetch(_WRITTEN_BY, [UUID(one) for one in message_ids], user_id)
    return frozenset(str(row["id"]) for row in rows)


async def emptied_places(
    connection: Connection, app_id: AppId, user_id: UserId, ids: Collection[str]
) -> frozenset[str]:
    """Which of these channels and workspaces the user made, and are deleted."""
    if not ids:
        return frozenset()
    rows = await connection.fetch(_EMPTIED_PLACES, UUID(app_id), user_id, [UUID(one) for one in ids])
    return frozenset(str(row["id"]) for row in rows)


def _reacted(row: Row) -> Reacted:
    counts = None if row["is_deleted"] else orjson.loads(row["reaction_counts"])
    return Reacted(MessageId(str(row["message_id"])), row["type"], counts)


_SCAN_CHANNELS = """
with scanned as materialized (
  select id, app_id from channel where id > $3 order by id limit $4
)
select (
    select id
    from scanned
    where app_id = $1
      and exists (select from message where message.channel_id = scanned.id and message.user_id = $2)
    order by id
    limit 1
  ) as found,
  (select id from scanned order by id desc limit 1) as last
"""

_EMPTY_DELETED = """
update channel
set name = null, description = null, image = null, custom = '{}'
where id > $3 and id <= $4 and app_id = $1 and created_by = $2 and deleted_at is not null
  and (name is not null or description is not null or image is not null or custom <> '{}')
returning id
"""

_LOCK_HEAD = """
select cv, deleted_at is not null as is_deleted
from channel
where id = $1
for no key update
"""

# No message has an empty hash of what was asked but an erased one: the mark that it is done.
_FIND_MESSAGES = """
select id, client_msg_id
from message
where channel_id = $1 and user_id = $2 and client_msg_id > $3 and request_hash <> ''
order by client_msg_id
limit $4
"""

_FETCH_MESSAGES = f"""
select {COLUMNS}, m.event_ids, m.purged_at is not null as is_purged
from message m
where m.id = any($1::uuid[]) and m.request_hash <> ''
order by m.id
"""

_CUSTOM_TYPES = """
select distinct type
from reaction
where message_id = any($1::uuid[]) and user_id = $2 and type like ':%'
"""

_FETCH_BODIES = "select id, body from event where id = any($1::uuid[]) and id between $2 and $3"

_ERASE_MESSAGES = """
with history as (
  delete from message_history where message_id = any($1::uuid[])
), copy as (
  delete from deleted_content where message_id = any($1::uuid[])
), reactions as (
  delete from reaction where message_id = any($1::uuid[])
), saved as (
  delete from saved_message where message_id = any($1::uuid[])
), polls as (
  delete from poll where message_id = any($1::uuid[])
), mentioned as (
  delete from mention where message_id = any($1::uuid[])
), searched as (
  delete from message_search where message_id = any($1::uuid[])
), verdicts as (
  delete from screening_verdict where message_id = any($1::uuid[])
), looked_at as (
  delete from link_preview_job where message_id = any($1::uuid[])
), collab_ops as (
  delete from collab_op where message_id = any($1::uuid[])
), collab_texts as (
  delete from collab_text where message_id = any($1::uuid[])
)
update message
set type = 'deleted', text = '', attachments = '[]', custom = '{}', mentions = '{}', mention_groups = '{}',
  status = case when status = 'held' then 'rejected' else status end, link_previews = '[]', reaction_counts = '{}',
  pinned_at = null, pinned_by = null, poll_id = null, text_mode = null, event_ids = '{}', hlc = null,
  request_hash = '', cv = erased.cv, version = erased.version, client_msg_id = erased.client_msg_id, updated_at = $5,
  deleted_at = coalesce(deleted_at, $5), purged_at = coalesce(purged_at, $5)
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[]) as erased (id, cv, version, client_msg_id)
where message.id = erased.id
"""

_NEXT_REACTED = "select channel_id from reaction where app_id = $1 and user_id = $2 limit 1"

_REACTIONS_OF = """
select reaction.message_id, reaction.type, message.reaction_counts, message.deleted_at is not null as is_deleted
from reaction
join message on message.id = reaction.message_id
where reaction.app_id = $1 and reaction.user_id = $2 and reaction.channel_id = $3
limit $4
"""

_ERASE_REACTIONS = """
with gone as (
  delete from reaction
  using unnest($1::uuid[], $2::text[]) as erased (message_id, type)
  where reaction.message_id = erased.message_id and reaction.type = erased.type and reaction.user_id = $3
)
update message
set reaction_counts = counted.counts::jsonb, cv = counted.cv
from unnest($4::uuid[], $5::text[], $6::bigint[]) as counted (id, counts, cv)
where message.id = counted.id
"""

_TYPES_IN_USE = "select distinct type from reaction where app_id = $1 and type = any($2::text[])"

_LOG_UP_TO = """
select id
from (select id from event where id > $1 and id <= $2 order by id limit $3) as part
order by id desc
limit 1
"""

_LOG_PART = """
select id, body
from event
where id > $2 and id <= $3 and app_id = $1
  and (
    type in ('poll.voted', 'poll.vote_removed')
    or exists (select from unnest($4::bytea[]) as needle where position(needle in body) > 0)
  )
"""

_WRITTEN_BY = "select id from message where id = any($1::uuid[]) and user_id = $2"

_EMPTIED_PLACES = """
select id
from channel
where id = any($3::uuid[]) and app_id = $1 and created_by = $2 and deleted_at is not null
union all
select id
from workspace
where id = any($3::uuid[]) and app_id = $1 and created_by = $2 and deleted_at is not null
"""
