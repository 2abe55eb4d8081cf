"""SQL of imports: rows as they come, still without a place. What is there already stays as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.imports.requests import ChannelLine, MemberLine, MessageLine, ReactionLine, UserLine
from chatsdk_contracts.ids import AppId
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """A channel of the app that lines name; `has_own_rules`: a direct one, or one of a workspace."""

    id: UUID
    has_own_rules: bool


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message of the app that lines name."""

    id: UUID
    channel_id: UUID
    is_reply: bool
    is_deleted: bool


async def insert_users(tx: Transaction, app_id: AppId, users: Sequence[UserLine], now: datetime) -> set[str]:
    """Users whose ids are free; returns these."""
    rows = await tx.fetch(
        _INSERT_USERS,
        UUID(app_id),
        [user.id for user in users],
        [user.name for user in users],
        [user.image for user in users],
        [user.email for user in users],
        [_json(user.custom or {}) for user in users],
        [user.created_at or now for user in users],
        [user.deactivated_at for user in users],
    )
    return {row["id"] for row in rows}


async def known_users(connection: Connection, app_id: AppId, ids: Collection[str]) -> set[str]:
    """Which of these users the app has, deactivated or not; erased ones are nobody's names."""
    rows = await connection.fetch(_KNOWN_USERS, UUID(app_id), list(ids))
    return {row["id"] for row in rows}


async def known_channels(
    connection: Connection, app_id: AppId, ids: Collection[UUID]
) -> dict[UUID, KnownChannel]:
    """Which of these channels the app has, not deleted."""
    rows = await connection.fetch(_KNOWN_CHANNELS, UUID(app_id), list(ids))
    return {row["id"]: KnownChannel(row["id"], row["has_own_rules"]) for row in rows}


async def lock_channels(tx: Transaction, app_id: AppId, ids: Collection[UUID]) -> None:
    """Lock channels until the end of the transaction, in the order in which everybody does."""
    await tx.execute(_LOCK_CHANNELS, UUID(app_id), list(ids))


async def known_messages(
    connection: Connection, app_id: AppId, ids: Collection[UUID]
) -> dict[UUID, KnownMessage]:
    """Which of these messages the app has."""
    rows = await connection.fetch(_KNOWN_MESSAGES, UUID(app_id), list(ids))
    return {
        row["id"]: KnownMessage(row["id"], row["channel_id"], row["is_reply"], row["is_deleted"])
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel line with its id here, its whole config, the key of two who are in a direct one, and its other name."""

    id: UUID
    line: ChannelLine
    config: str
    dm_key: str | None
    external_id: str | None


async def insert_channels(
    tx: Transaction, app_id: AppId, channels: Sequence[NewChannel], now: datetime
) -> set[UUID]:
    """Channels whose ids and names are free; returns these."""
    rows = await tx.fetch(
        _INSERT_CHANNELS,
        UUID(app_id),
        [one.id for one in channels],
        [one.line.type for one in channels],
        [one.line.name for one in channels],
        [one.line.description for one in channels],
        [one.line.image for one in channels],
        [_json(one.line.custom or {}) for one in channels],
        [one.config for one in channels],
        [one.line.created_by for one in channels],
        [one.dm_key for one in channels],
        [one.external_id for one in channels],
        [one.line.frozen for one in channels],
        [one.line.created_at or now for one in channels],
    )
    return {row["id"] for row in rows}


async def insert_members(
    tx: Transaction, app_id: AppId, members: Sequence[tuple[UUID, MemberLine]], now: datetime
) -> int:
    """Members of locked channels who are not in them yet, counted there; returns how many."""
    added: int = await tx.fetchval(
        _INSERT_MEMBERS,
        UUID(app_id),
        [channel_id for channel_id, _ in members],
        [line.user_id for _, line in members],
        [line.role for _, line in members],
        [line.joined_at or now for _, line in members],
    )
    return added


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message line with its ids here."""

    id: UUID
    channel_id: UUID
    parent_id: UUID | None
    reply_to_id: UUID | None
    line: MessageLine

    @property
    def is_deleted(self) -> bool:
        """Whether nothing of it is left but its place."""
        return self.line.type == "deleted" or self.line.deleted_at is not None


async def insert_messages(
    tx: Transaction, app_id: AppId, job_id: str, messages: Sequence[NewMessage]
) -> set[UUID]:
    """Messages whose ids are free, still without a place; returns these."""
    rows = await tx.fetch(
        _INSERT_MESSAGES,
        UUID(app_id),
        UUID(job_id),
        [one.id for one in messages],
        [one.channel_id for one in messages],
        [one.line.user_id for one in messages],
        ["deleted" if one.is_deleted else one.line.type for one in messages],
        ["" if one.is_deleted else one.line.text for one in messages],
        ["[]" if one.is_deleted else _attachments(one.line) for one in messages],
        ["{}" if one.is_deleted else _json(one.line.custom) for one in messages],
        [f"import-{one.id}" for one in messages],
        [hashlib.sha256(one.line.id.encode()).digest() for one in messages],
        [one.parent_id for one in messages],
        [one.reply_to_id for one in messages],
        [one.line.silent for one in messages],
        [one.line.created_at for one in messages],
        [one.line.edited_at for one in messages],
        [(one.line.deleted_at or one.line.created_at) if one.is_deleted else None for one in messages],
        [None if one.is_deleted else one.line.text_mode for one in messages],
    )
    return {row["id"] for row in rows}


async def insert_reactions(
    tx: Transaction,
    app_id: AppId,
    reactions: Sequence[tuple[KnownMessage, str, ReactionLine]],
    now: datetime,
) -> int:
    """Reactions that are not there yet, counted at their messages, whose channels are locked; returns how many."""
    rows = await tx.fetch(
        _INSERT_REACTIONS,
        UUID(app_id),
        [message.id for message, _, _ in reactions],
        [message.channel_id for message, _, _ in reactions],
        [line.user_id for _, _, line in reactions],
        [kind for _, kind, _ in reactions],
        [line.created_at or now for _, _, line in reactions],
    )
    touched = {row["message_id"] for row in rows}
    if touched:
        await tx.execute(_COUNT_REACTIONS, list(touched))
    return len(rows)


async def note_channels(tx: Transaction, job_id: str, ids: Collection[UUID]) -> None:
    """Remember that the members of these channels have something to load anew."""
    await tx.execute(_NOTE_CHANNELS, UUID(job_id), list(ids))


def _attachments(line: MessageLine) -> str:
    # What a file is called elsewhere is no upload of ours.
    shown = [one.model_dump(mode="json", by_alias=True) | {"uploadId": None} for one in line.attachments]
    return orjson.dumps(shown).decode()


def _json(value: Mapping[str, object]) -> str:
    return orjson.dumps(value).decode()


_INSERT_USERS = """
insert into app_user (app_id, id, name, image, email, custom, created_at, updated_at, deactivated_at)
select $1, id, name, image, email, custom::jsonb, created_at, created_at, deactivated_at
from unnest(
  $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[]
) as given (id, name, image, email, custom, created_at, deactivated_at)
order by id
on conflict (app_id, id) do nothing
returning id
"""

_KNOWN_USERS = "select id from app_user where app_id = $1 and id = any($2::text[]) and erased_at is null"

_KNOWN_CHANNELS = """
select id, dm_key is not null or workspace_id is not null as has_own_rules
from channel
where app_id = $1 and id = any($2::uuid[]) and deleted_at is null
"""

_LOCK_CHANNELS = """
select id
from channel
where app_id = $1 and id = any($2::uuid[])
order by id
for no key update
"""

_KNOWN_MESSAGES = """
select id, channel_id, parent_id is not null as is_reply, deleted_at is not null as is_deleted
from message
where app_id = $1 and id = any($2::uuid[])
"""

_INSERT_CHANNELS = """
insert into channel (
  id, app_id, type, name, description, image, custom, config, created_by, dm_key, external_id, frozen,
  created_at, updated_at
)
select id, $1, type, name, description, image, custom::jsonb, config::jsonb, created_by, dm_key, external_id, frozen,
  created_at, created_at
from unnest(
  $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
  $11::text[], $12::boolean[], $13::timestamptz[]
) as given (
  id, type, name, description, image, custom, config, created_by, dm_key, external_id, frozen, created_at
)
order by id
on conflict do nothing
returning id
"""

# Who was here before goes on in the generation of the read marker that they left in, as in channels/member_store.
_INSERT_MEMBERS = """
with given as (
  select * from unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) as line (channel_id, user_id, role, joined_at)
), returned as (
  delete from departure
  using given
  where departure.app_id = $1 and departure.channel_id = given.channel_id and departure.user_id = given.user_id
  returning departure.channel_id, departure.user_id, departure.read_generation
), added as (
  insert into channel_member (channel_id, user_id, app_id, role, joined_at, joined_cv, last_read_seq, read_generation)
  select channel.id, given.user_id, $1, given.role, given.joined_at, channel.cv + 1, channel.last_seq,
    case
      when returned.user_id is null then 0
      else coalesce(
        returned.read_generation,
        (select state_version from app_user where app_id = $1 and id = returned.user_id),
        0
      )
    end
  from given
  join channel on channel.id = given.channel_id
  left join returned on returned.channel_id = given.channel_id and returned.user_id = given.user_id
  order by channel.id, given.user_id
  on conflict (channel_id, user_id) do nothing
  returning channel_id
), counted as (
  update channel
  set member_count = member_count + number
  from (select channel_id, count(*) as number from added group by channel_id) as more
  where channel.id = more.channel_id
)
select count(*)::int from added
"""

_INSERT_MESSAGES = """
with added as (
  insert into message (
    id, channel_id, app_id, user_id, type, text, attachments, custom, client_msg_id, request_hash, parent_id,
    reply_to_id, silent, created_at, updated_at, edited_at, deleted_at, text_mode, cv
  )
  select id, channel_id, $1, user_id, type, text, attachments::jsonb, custom::jsonb, client_msg_id, request_hash,
    parent_id, reply_to_id, silent, created_at, coalesce(deleted_at, edited_at, created_at), edited_at, deleted_at,
    text_mode, 0
  from unnest(
    $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[],
    $12::uuid[], $13::uuid[], $14::boolean[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::text[]
  ) as given (
    id, channel_id, user_id, type, text, attachments, custom, client_msg_id, request_hash, parent_id, reply_to_id,
    silent, created_at, edited_at, deleted_at, text_mode
  )
  order by id
  on conflict do nothing
  returning id, channel_id, created_at
), waiting as (
  -- Of an import that was given up: there, and without a place.
  select id, channel_id, created_at
  from message
  where id = any($3::uuid[]) and app_id = $1 and client_msg_id = 'import-' || id
    and seq is null and thread_seq is null
), staged as (
  insert into import_message (job_id, channel_id, message_id, created_at)
  select $2::uuid, channel_id, id, created_at from added
  union
  select $2::uuid, channel_id, id, created_at from waiting
  on conflict do nothing
)
select id from added
"""

_INSERT_REACTIONS = """
insert into reaction (app_id, message_id, channel_id, user_id, type, created_at)
select $1, message_id, channel_id, user_id, type, created_at
from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
  as given (message_id, channel_id, user_id, type, created_at)
order by message_id, user_id, type
on conflict (message_id, user_id, type) do nothing
returning message_id
"""

_COUNT_REACTIONS = """
update message
set reaction_counts = counted.counts
from (
  select message_id, jsonb_object_agg(type, number) as counts
  from (
    select message_id, type, count(*) as number
    from reaction
    where message_id = any($1::uuid[])
    group by message_id, type
  ) as of_type
  group by message_id
) as counted
where message.id = counted.message_id
"""

_NOTE_CHANNELS = """
insert into import_channel (job_id, channel_id)
select $1, id from unnest($2::uuid[]) as id
on conflict do nothing
"""
