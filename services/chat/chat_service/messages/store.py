"""SQL of messages: reading, editing and deleting one, and how a row becomes a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from chat_service.messages.rules import is_hidden
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, PollId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Row, Transaction


def attachments_json(message: Message) -> str:
    """A message's attachments as their column holds them."""
    if not message.attachments:
        return "[]"
    return orjson.dumps([one.model_dump(mode="json", by_alias=True) for one in message.attachments]).decode()


def previews_json(message: Message) -> str:
    """A message's link previews as their column holds them."""
    return orjson.dumps(
        [one.model_dump(mode="json", by_alias=True) for one in message.link_previews]
    ).decode()


@dataclass(frozen=True, slots=True)
class Standing:
    """A user's place in a channel: what reading and editing depend on.

    Nothing up to `floor_seq` is shown to the user: it is truncated, or the user has cleared it. `hidden`: the
    channel does not exist for those who are not in it. `has_shadowed`: the user wrote here what only they see;
    `has_blocked`: there is somebody whose messages they do not want to see.
    """

    channel_type: str
    frozen: bool
    last_seq: int
    cv: int
    role: str | None
    hidden: bool = False
    floor_seq: int = 0
    has_shadowed: bool = False
    has_blocked: bool = False
    config: ChannelConfig = field(default_factory=ChannelConfig)


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
    config = ChannelConfig.model_validate_json(row["config"])
    return Standing(
        channel_type=row["type"],
        frozen=row["frozen"],
        last_seq=row["last_seq"],
        cv=row["cv"],
        role=row["role"],
        hidden=is_hidden(row["type"], config) or row["outside"],
        floor_seq=row["floor_seq"],
        has_shadowed=row["has_shadowed"],
        has_blocked=row["has_blocked"],
        config=config,
    )


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


async def update_text(tx: Transaction, message: Message, event_id: str) -> None:
    """Write an edited message with its mentions, and which event tells of it."""
    await tx.execute(
        _UPDATE_TEXT,
        UUID(message.id),
        message.text,
        message.version,
        message.cv,
        message.updated_at,
        UUID(event_id),
        message.hlc,
        message.mentions,
        message.mention_groups,
        previews_json(message),
    )


async def write_tombstone(tx: Transaction, message: Message) -> None:
    """Write a deletion; nothing of what was said remains in the row."""
    await tx.execute(
        _WRITE_TOMBSTONE,
        UUID(message.id),
        message.version,
        message.cv,
        message.updated_at,
        message.deleted_at,
        message.deleted_by,
        message.status,
    )


async def fetch_told(tx: Transaction, message_id: MessageId) -> dict[UUID, bytes]:
    """The logged events that carry what this message said, with their bytes."""
    ids: list[UUID] = await tx.fetchval("select event_ids from message where id = $1", UUID(message_id))
    if not ids:
        return {}
    return {row["id"]: row["body"] for row in await tx.fetch(_FETCH_TOLD, ids, min(ids), max(ids))}


async def redact_told(tx: Transaction, redacted: Mapping[UUID, bytes]) -> None:
    """Put redacted bytes in the place of logged ones, and note it for the services that keep copies."""
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
        status=row["status"],
        client_msg_id=row["client_msg_id"],
        parent_id=MessageId(str(row["parent_id"])) if row["parent_id"] else None,
        reply_to_id=MessageId(str(row["reply_to_id"])) if row["reply_to_id"] else None,
        silent=row["silent"],
        custom=orjson.loads(row["custom"]),
        mentions=row["mentions"],
        mention_groups=row["mention_groups"],
        link_previews=orjson.loads(row["link_previews"]),
        poll_id=PollId(str(row["poll_id"])) if row["poll_id"] else None,
        reply_count=row["reply_count"],
        last_reply_at=row["last_reply_at"],
        reaction_counts=orjson.loads(row["reaction_counts"]),
        pinned=row["pinned_at"] is not None,
        pinned_at=row["pinned_at"],
        pinned_by=row["pinned_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        edited_at=row["edited_at"],
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
        hlc=row["hlc"],
        text_mode=row["text_mode"],
    )


COLUMNS = """m.id, m.channel_id, m.user_id, m.type, m.text, m.attachments, m.seq, m.thread_seq, m.cv, m.version,
  m.client_msg_id, m.parent_id, m.reply_to_id, m.silent, m.custom, m.mentions, m.mention_groups, m.poll_id,
  m.reply_count, m.last_reply_at, m.reaction_counts, m.pinned_at, m.pinned_by, m.created_at, m.updated_at,
  m.edited_at, m.deleted_at, m.deleted_by, m.hlc, m.status, m.link_previews, m.text_mode"""

# Where a message `m` stands in the timeline, a reply with its thread: what is truncated or cleared is shown to nobody.
# What is held or was rejected stands before its beginning, and so is shown to nobody either.
# What has `shadowed_after` is shown to its author and to servers: every statement that reads messages not by seq says so.
TIMELINE_SEQ = """case when m.status = 'sent' then coalesce(
    m.seq, (select first.seq from message first where first.id = m.parent_id), m.shadowed_after + 1,
    9223372036854775807
  ) else 0 end"""

_LOCK_CHANNEL = """
select id from channel where app_id = $1 and id = $2 and deleted_at is null for no key update
"""

_STANDING = """
select channel.type, channel.frozen, channel.last_seq, channel.cv, channel.config, member.role,
  greatest(channel.truncated_seq, member.cleared_seq) as floor_seq,
  channel.workspace_id is not null and not exists (
    select from workspace_member
    where workspace_member.workspace_id = channel.workspace_id and workspace_member.user_id = $3
  ) as outside,
  exists (
    select from message where channel_id = $2 and user_id = $3 and shadowed_after is not null
  ) as has_shadowed,
  exists (select from user_block where app_id = $1 and user_id = $3) as has_blocked
from channel
left join channel_member member on member.channel_id = channel.id and member.user_id = $3
where channel.app_id = $1 and channel.id = $2 and channel.deleted_at is null
"""

_FETCH_MESSAGE = f"select {COLUMNS} from message m where m.channel_id = $1 and m.id = $2"

_FETCH_BY_CLIENT_ID = f"""
select {COLUMNS} from message m where m.channel_id = $1 and m.user_id = $2 and m.client_msg_id = $3
"""

_UPDATE_TEXT = """
update message set text = $2, version = $3, cv = $4, updated_at = $5, edited_at = $5, event_ids = event_ids || $6::uuid,
  hlc = $7, mentions = $8, mention_groups = $9, link_previews = $10::jsonb
where id = $1
"""

# Its poll goes with a message, votes and all; and what several people wrote of it.
_WRITE_TOMBSTONE = """
with polled as (
  delete from poll where message_id = $1
), collab_ops as (
  delete from collab_op where message_id = $1
), collab_texts as (
  delete from collab_text where message_id = $1
)
update message
set type = 'deleted', text = '', attachments = '[]', custom = '{}', mentions = '{}', mention_groups = '{}',
  link_previews = '[]', reaction_counts = '{}', pinned_at = null, pinned_by = null, poll_id = null, text_mode = null,
  version = $2, cv = $3, updated_at = $4, deleted_at = $5, deleted_by = $6, status = $7
where id = $1
"""

_FETCH_TOLD = "select id, body from event where id = any($1::uuid[]) and id between $2 and $3"

_REDACT_TOLD = """
with redacted as (
  update event set body = redacted.body
  from unnest($1::uuid[], $2::bytea[]) as redacted (id, body)
  where event.id = redacted.id and event.id between $3 and $4
  returning event.id
)
insert into redacted_event (event_id)
select id from redacted order by id
on conflict (event_id) do update set pos = null, redacted_at = now()
"""
