"""SQL of messages: the three statements of a batch of sends, and reading, editing, deleting one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.events import log
from chat_service.events.log import LoggedEvent
from chat_service.messages.rules import Accepted, ChannelHead, Send, SendFacts
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, PollId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def lock_channels(tx: Transaction, ids: Sequence[UUID]) -> dict[ChannelId, ChannelHead]:
    """(1) Lock what can be locked now; a channel that somebody else holds is left for the next round."""
    heads = [_channel_head(row) for row in await tx.fetch(_LOCK_CHANNELS, ids)]
    return {head.id: head for head in heads}


async def existing_channels(tx: Transaction, ids: Sequence[UUID]) -> set[ChannelId]:
    """Which of these exist: locked by somebody else, as they were not returned by `lock_channels`."""
    rows = await tx.fetch("select id from channel where id = any($1::uuid[])", ids)
    return {ChannelId(str(row["id"])) for row in rows}


async def send_facts(tx: Transaction, sends: Sequence[Send]) -> list[SendFacts]:
    """(2) With the snapshot after the lock: membership, repeats, what is replied to. In the order of `sends`."""
    rows = await tx.fetch(
        _SEND_FACTS,
        list(range(len(sends))),
        [UUID(send.channel_id) for send in sends],
        [send.user_id for send in sends],
        [send.client_msg_id for send in sends],
        [UUID(send.parent_id) if send.parent_id else None for send in sends],
        [UUID(send.reply_to_id) if send.reply_to_id else None for send in sends],
    )
    facts: list[SendFacts | None] = [None] * len(sends)
    for row in rows:
        stored = row["id"] is not None
        facts[row["position"]] = SendFacts(
            role=row["role"],
            stored=message_of(row) if stored else None,
            stored_hash=row["request_hash"] if stored else None,
            parent_last_seq=row["parent_last_seq"],
            parent_is_top=bool(row["parent_is_top"]),
            reply_to_found=row["reply_to_found"] is not None,
        )
    return [fact for fact in facts if fact is not None]


async def write_sends(
    tx: Transaction,
    channels: Sequence[ChannelHead],
    threads: dict[MessageId, int],
    accepted: Sequence[Accepted],
    events: Sequence[LoggedEvent],
    now: datetime,
) -> None:
    """(3) Counters, messages and events in one statement."""
    per_parent: dict[MessageId, int] = {}
    for one in accepted:
        if one.message.parent_id is not None:
            per_parent[one.message.parent_id] = per_parent.get(one.message.parent_id, 0) + 1
    await tx.execute(
        _WRITE_SENDS,
        now,
        [UUID(channel.id) for channel in channels],
        [channel.last_seq for channel in channels],
        [channel.cv for channel in channels],
        [channel.added for channel in channels],
        [UUID(parent) for parent in per_parent],
        list(per_parent.values()),
        [threads[parent] for parent in per_parent],
        *_message_columns(accepted, events),
        *log.columns(events),
    )


def _message_columns(accepted: Sequence[Accepted], events: Sequence[LoggedEvent]) -> tuple[list[object], ...]:
    messages = [one.message for one in accepted]
    return (
        [UUID(message.id) for message in messages],
        [UUID(message.channel_id) for message in messages],
        [UUID(one.send.app_id) for one in accepted],
        [message.user_id for message in messages],
        [message.text for message in messages],
        [_attachments_json(message) for message in messages],
        [message.seq for message in messages],
        [message.thread_seq for message in messages],
        [message.cv for message in messages],
        [message.client_msg_id for message in messages],
        [one.send.request_hash for one in accepted],
        [UUID(message.parent_id) if message.parent_id else None for message in messages],
        [UUID(message.reply_to_id) if message.reply_to_id else None for message in messages],
        [message.silent for message in messages],
        [orjson.dumps(message.custom).decode() if message.custom else "{}" for message in messages],
        [UUID(event.id) for event in events],
    )


def _attachments_json(message: Message) -> str:
    if not message.attachments:
        return "[]"
    return orjson.dumps([one.model_dump(mode="json", by_alias=True) for one in message.attachments]).decode()


@dataclass(frozen=True, slots=True)
class Standing:
    """A user's place in a channel: what reading and editing depend on."""

    channel_type: str
    frozen: bool
    last_seq: int
    cv: int
    role: str | None


async def lock_channel(tx: Transaction, app_id: AppId, channel_id: ChannelId) -> bool:
    """Lock one channel; False when there is none. What decides is read after this."""
    return await tx.fetchval(_LOCK_CHANNEL, UUID(app_id), UUID(channel_id)) is not None


async def fetch_standing(
    connection: Connection, app_id: AppId, channel_id: ChannelId, user_id: UserId | None
) -> Standing | None:
    """The channel and the user's role in it; None when there is no such channel in the app."""
    row = await connection.fetchrow(_STANDING, UUID(app_id), UUID(channel_id), user_id)
    if row is None:
        return None
    return Standing(row["type"], row["frozen"], row["last_seq"], row["cv"], row["role"])


async def next_cv(tx: Transaction, channel_id: ChannelId) -> int:
    """Count one more change of a locked channel."""
    cv: int = await tx.fetchval("update channel set cv = cv + 1 where id = $1 returning cv", UUID(channel_id))
    return cv


async def fetch_message(
    connection: Connection, channel_id: ChannelId, message_id: MessageId
) -> Message | None:
    """One message of the channel, a tombstone included."""
    row = await connection.fetchrow(_FETCH_MESSAGE, UUID(channel_id), UUID(message_id))
    return None if row is None else message_of(row)


async def fetch_by_client_id(
    connection: Connection, channel_id: ChannelId, user_id: UserId, client_msg_id: str
) -> Message | None:
    """The message that this user sent under this id."""
    row = await connection.fetchrow(_FETCH_BY_CLIENT_ID, UUID(channel_id), user_id, client_msg_id)
    return None if row is None else message_of(row)


async def list_after(connection: Connection, channel_id: ChannelId, seq: int, limit: int) -> list[Message]:
    """The timeline behind a seq, ascending."""
    return [message_of(row) for row in await connection.fetch(_LIST_AFTER, UUID(channel_id), seq, limit)]


async def list_before(
    connection: Connection, channel_id: ChannelId, seq: int | None, limit: int
) -> list[Message]:
    """The timeline up to, not including, a seq (None: the end), ascending."""
    rows = await connection.fetch(_LIST_BEFORE, UUID(channel_id), seq, limit)
    return [message_of(row) for row in reversed(rows)]


async def update_text(tx: Transaction, message: Message, event_id: str) -> None:
    """Write an edited message, and which event tells of it."""
    await tx.execute(
        _UPDATE_TEXT,
        UUID(message.id),
        message.text,
        message.version,
        message.cv,
        message.updated_at,
        UUID(event_id),
    )


async def write_tombstone(tx: Transaction, message: Message) -> None:
    """Write a deletion; nothing of what was said remains in the row."""
    await tx.execute(
        _WRITE_TOMBSTONE,
        UUID(message.id),
        message.version,
        message.cv,
        message.deleted_at,
        message.deleted_by,
    )


async def fetch_told(tx: Transaction, message_id: MessageId) -> dict[UUID, bytes]:
    """The logged events that carry what this message said, with their bytes."""
    ids: list[UUID] = await tx.fetchval("select event_ids from message where id = $1", UUID(message_id))
    if not ids:
        return {}
    return {row["id"]: row["body"] for row in await tx.fetch(_FETCH_TOLD, ids, min(ids), max(ids))}


async def redact_told(tx: Transaction, redacted: Mapping[UUID, bytes]) -> None:
    """Put redacted bytes in the place of logged ones."""
    ids = list(redacted)
    await tx.execute(_REDACT_TOLD, ids, list(redacted.values()), min(ids), max(ids))


def message_of(row: Row) -> Message:
    """A row as the API shows it."""
    return Message(
        id=MessageId(str(row["id"])),
        channel_id=ChannelId(str(row["channel_id"])),
        user_id=row["user_id"],
        type=row["type"],
        text=row["text"],
        attachments=orjson.loads(row["attachments"]),
        seq=row["seq"],
        thread_seq=row["thread_seq"],
        cv=row["cv"],
        version=row["version"],
        client_msg_id=row["client_msg_id"],
        parent_id=MessageId(str(row["parent_id"])) if row["parent_id"] else None,
        reply_to_id=MessageId(str(row["reply_to_id"])) if row["reply_to_id"] else None,
        silent=row["silent"],
        custom=orjson.loads(row["custom"]),
        poll_id=PollId(str(row["poll_id"])) if row["poll_id"] else None,
        reply_count=row["reply_count"],
        last_reply_at=row["last_reply_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        edited_at=row["edited_at"],
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
    )


def _channel_head(row: Row) -> ChannelHead:
    return ChannelHead(
        id=ChannelId(str(row["id"])),
        app_id=AppId(str(row["app_id"])),
        type=row["type"],
        last_seq=row["last_seq"],
        cv=row["cv"],
        frozen=row["frozen"],
        deleted=row["deleted"],
    )


_COLUMNS = """m.id, m.channel_id, m.user_id, m.type, m.text, m.attachments, m.seq, m.thread_seq, m.cv, m.version,
  m.client_msg_id, m.parent_id, m.reply_to_id, m.silent, m.custom, m.poll_id, m.reply_count, m.last_reply_at,
  m.created_at, m.updated_at, m.edited_at, m.deleted_at, m.deleted_by"""

_LOCK_CHANNELS = """
select id, app_id, type, last_seq, cv, frozen, deleted_at is not null as deleted
from channel
where id = any($1::uuid[])
order by id
for no key update skip locked
"""

_SEND_FACTS = f"""
select sent.position, member.role, {_COLUMNS}, m.request_hash,
  parent.last_thread_seq as parent_last_seq, parent.parent_id is null as parent_is_top,
  replied.id as reply_to_found
from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[])
  as sent (position, channel_id, user_id, client_msg_id, parent_id, reply_to_id)
left join channel_member member on member.channel_id = sent.channel_id and member.user_id = sent.user_id
left join message m
  on m.channel_id = sent.channel_id and m.user_id = sent.user_id and m.client_msg_id = sent.client_msg_id
left join message parent on parent.id = sent.parent_id and parent.channel_id = sent.channel_id
left join message replied on replied.id = sent.reply_to_id and replied.channel_id = sent.channel_id
"""

_WRITE_SENDS = """
with moved as (
  update channel
  set last_seq = counted.last_seq, cv = counted.cv, message_count = message_count + counted.added,
      last_message_at = $1
  from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::int[]) as counted (id, last_seq, cv, added)
  where channel.id = counted.id
), threads as (
  update message
  set reply_count = reply_count + thread.added, last_thread_seq = thread.last_seq, last_reply_at = $1
  from unnest($6::uuid[], $7::int[], $8::bigint[]) as thread (id, added, last_seq)
  where message.id = thread.id
), written as (
  insert into message (
    id, channel_id, app_id, user_id, text, attachments, seq, thread_seq, cv, client_msg_id, request_hash,
    parent_id, reply_to_id, silent, custom, event_ids, created_at, updated_at
  )
  select id, channel_id, app_id, user_id, text, attachments::jsonb, seq, thread_seq, cv, client_msg_id,
    request_hash, parent_id, reply_to_id, silent, custom::jsonb, array[event_id], $1, $1
  from unnest(
    $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[],
    $17::bigint[], $18::text[], $19::bytea[], $20::uuid[], $21::uuid[], $22::boolean[], $23::text[],
    $24::uuid[]
  ) as sent (
    id, channel_id, app_id, user_id, text, attachments, seq, thread_seq, cv, client_msg_id, request_hash,
    parent_id, reply_to_id, silent, custom, event_id
  )
)
insert into event (id, app_id, type, subject, version, channel_id, lane, copies, body)
select id, app_id, type, subject, version, channel_id, lane, string_to_array(copies, ' '), body
from unnest(
  $25::uuid[], $26::uuid[], $27::text[], $28::text[], $29::bigint[], $30::uuid[], $31::smallint[], $32::text[],
  $33::bytea[]
) as e (id, app_id, type, subject, version, channel_id, lane, copies, body)
"""

_LOCK_CHANNEL = """
select id from channel where app_id = $1 and id = $2 and deleted_at is null for no key update
"""

_STANDING = """
select channel.type, channel.frozen, channel.last_seq, channel.cv, member.role
from channel
left join channel_member member on member.channel_id = channel.id and member.user_id = $3
where channel.app_id = $1 and channel.id = $2 and channel.deleted_at is null
"""

_FETCH_MESSAGE = f"select {_COLUMNS} from message m where m.channel_id = $1 and m.id = $2"

_FETCH_BY_CLIENT_ID = f"""
select {_COLUMNS} from message m where m.channel_id = $1 and m.user_id = $2 and m.client_msg_id = $3
"""

_LIST_AFTER = (
    f"select {_COLUMNS} from message m where m.channel_id = $1 and m.seq > $2 order by m.seq limit $3"
)

_LIST_BEFORE = f"""
select {_COLUMNS} from message m
where m.channel_id = $1 and m.seq is not null and ($2::bigint is null or m.seq < $2)
order by m.seq desc
limit $3
"""

_UPDATE_TEXT = """
update message set text = $2, version = $3, cv = $4, updated_at = $5, edited_at = $5, event_ids = event_ids || $6::uuid
where id = $1
"""

# Its poll goes with a message, votes and all.
_WRITE_TOMBSTONE = """
with polled as (
  delete from poll where message_id = $1
)
update message
set type = 'deleted', text = '', attachments = '[]', custom = '{}', poll_id = null, version = $2, cv = $3,
  updated_at = $4, deleted_at = $4, deleted_by = $5
where id = $1
"""

_FETCH_TOLD = "select id, body from event where id = any($1::uuid[]) and id between $2 and $3"

_REDACT_TOLD = """
update event set body = redacted.body
from unnest($1::uuid[], $2::bytea[]) as redacted (id, body)
where event.id = redacted.id and event.id between $3 and $4
"""
