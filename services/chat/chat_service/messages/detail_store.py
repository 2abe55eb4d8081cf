"""SQL of what belongs to a message beside its row: what it quotes, its edit history, the copy of a deleted one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.messages.store import TIMELINE_SEQ, attachments_json
from chatsdk_contracts.ids import AppId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def fetch_quoted(
    connection: Connection,
    app_id: AppId,
    user_id: UserId | None,
    message_ids: Iterable[MessageId],
    *,
    longest: int,
) -> Sequence[Row]:
    """Author and beginning, in code points, of those quoted messages that this user may see (None: a server)."""
    ids = [UUID(message_id) for message_id in message_ids]
    return await connection.fetch(_FETCH_QUOTED, UUID(app_id), ids, longest, user_id)


async def add_history(
    tx: Transaction, before: Message, *, edited_at: datetime, edited_by: UserId | None
) -> None:
    """Keep the text that an edit replaces, under the version that had it."""
    await tx.execute(_ADD_HISTORY, UUID(before.id), before.version, before.text, edited_at, edited_by)


async def list_history(
    connection: Connection, message_id: MessageId, *, after: int, limit: int
) -> Sequence[Row]:
    """Texts that a message had, by version, those behind one."""
    return await connection.fetch(_LIST_HISTORY, UUID(message_id), after, limit)


async def forget_history(tx: Transaction, message_id: MessageId) -> None:
    """Delete every earlier text of a message."""
    await tx.execute("delete from message_history where message_id = $1", UUID(message_id))


async def keep_content(tx: Transaction, message_id: MessageId, sealed: Sealed, expires_at: datetime) -> None:
    """Keep the sealed copy of what a message said."""
    await tx.execute(_KEEP_CONTENT, UUID(message_id), sealed.key_id, sealed.ciphertext, expires_at)


async def take_content(tx: Transaction, message_id: MessageId, now: datetime) -> Sealed | None:
    """Take the copy away; None when there is none, or its time is over."""
    row = await tx.fetchrow(_TAKE_CONTENT, UUID(message_id))
    if row is None or row["expires_at"] <= now:
        return None
    return Sealed(row["key_id"], row["content"])


async def forget_expired_content(connection: Connection, now: datetime, *, limit: int = 5_000) -> int:
    """Delete copies whose time is over and that no legal hold keeps, at most `limit`; returns how many."""
    return len(await connection.fetch(_FORGET_EXPIRED_CONTENT, now, limit))


async def count_reactions(tx: Transaction, message_id: MessageId) -> dict[str, int]:
    """How many users reacted with each type; these rows outlive a deletion."""
    rows = await tx.fetch(_COUNT_REACTIONS, UUID(message_id))
    return {row["type"]: row["count"] for row in rows}


async def write_restored(tx: Transaction, message: Message, event_id: str) -> None:
    """Put a message in the place of its tombstone, and note which event tells of it."""
    await tx.execute(
        _WRITE_RESTORED,
        UUID(message.id),
        message.type,
        message.text,
        attachments_json(message),
        orjson.dumps(message.custom).decode(),
        orjson.dumps(message.reaction_counts).decode(),
        message.version,
        message.cv,
        message.updated_at,
        UUID(event_id),
        message.mentions,
        message.mention_groups,
    )


async def is_purged(tx: Transaction, message_id: MessageId) -> bool:
    """Whether the message was purged already."""
    purged_at = await tx.fetchval("select purged_at from message where id = $1", UUID(message_id))
    return purged_at is not None


async def wipe_details(tx: Transaction, message_id: MessageId, now: datetime) -> None:
    """Delete all that others keep about a message, and mark it as purged."""
    await tx.execute(_WIPE_DETAILS, UUID(message_id), now)


_FETCH_QUOTED = f"""
select m.id, m.user_id, left(m.text, $3) as text, m.deleted_at is not null as deleted
from message m
join channel on channel.id = m.channel_id
left join channel_member member on member.channel_id = m.channel_id and member.user_id = $4
where m.app_id = $1 and m.id = any($2::uuid[])
  and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
  and (m.shadowed_after is null or m.user_id = $4::text or $4 is null)
  and not exists (
    select from user_block where app_id = $1 and user_id = $4 and blocked_id = m.user_id
  )
"""

_ADD_HISTORY = """
insert into message_history (message_id, version, text, edited_at, edited_by)
values ($1, $2, $3, $4, $5)
"""

_LIST_HISTORY = """
select version, text, edited_at, edited_by
from message_history
where message_id = $1 and version > $2
order by version
limit $3
"""

_KEEP_CONTENT = """
insert into deleted_content (message_id, key_id, content, expires_at)
values ($1, $2, $3, $4)
"""

_TAKE_CONTENT = """
delete from deleted_content
where message_id = $1
returning key_id, content, expires_at
"""

_FORGET_EXPIRED_CONTENT = """
delete from deleted_content
where message_id in (
  select copy.message_id
  from deleted_content copy
  where copy.expires_at <= $1 and not exists (
    select from message
    join legal_hold hold on hold.app_id = message.app_id and hold.released_at is null
    where message.id = copy.message_id and (hold.channel_id = message.channel_id or hold.user_id = message.user_id)
  )
  limit $2
)
returning 1
"""

_COUNT_REACTIONS = """
select type, count(*) as count
from reaction
where message_id = $1
group by type
"""

_WRITE_RESTORED = """
update message
set type = $2, text = $3, attachments = $4, custom = $5, reaction_counts = $6, version = $7, cv = $8, updated_at = $9,
  deleted_at = null, deleted_by = null, event_ids = event_ids || $10::uuid, mentions = $11, mention_groups = $12
where id = $1
"""

_WIPE_DETAILS = """
with history as (
  delete from message_history where message_id = $1
), copy as (
  delete from deleted_content where message_id = $1
), reactions as (
  delete from reaction where message_id = $1
), saved as (
  delete from saved_message where message_id = $1
), mentions as (
  delete from mention where message_id = $1
), verdicts as (
  delete from screening_verdict where message_id = $1
)
update message set purged_at = $2 where id = $1
"""
