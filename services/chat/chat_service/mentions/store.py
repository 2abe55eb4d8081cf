"""SQL of mentions: who is there to be named, and the rows that make an inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chatsdk_contracts.ids import AppId, ChannelId, MentionId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Wanted:
    """A user whom the message at a place of the batch is to mention."""

    place: int
    channel_id: ChannelId
    author_id: UserId
    user_id: UserId


@dataclass(frozen=True, slots=True)
class Found:
    """One of them who is in the channel; `deaf`: they have blocked the author."""

    place: int
    user_id: UserId
    deaf: bool


@dataclass(frozen=True, slots=True)
class NewMention:
    """A row to be written. `user_id` None: everybody in the channel."""

    id: MentionId
    app_id: AppId
    user_id: UserId | None
    message: Message
    created_at: datetime


async def members_among(connection: Connection, wanted: Sequence[Wanted]) -> list[Found]:
    """Those who are members; under the lock of their channels that stays so."""
    rows = await connection.fetch(
        _MEMBERS_AMONG,
        [one.place for one in wanted],
        [UUID(one.channel_id) for one in wanted],
        [one.author_id for one in wanted],
        [one.user_id for one in wanted],
    )
    return [Found(row["place"], row["user_id"], row["deaf"]) for row in rows]


async def count_up(
    tx: Transaction, counts: Mapping[tuple[AppId, UserId], int]
) -> dict[tuple[AppId, UserId], int]:
    """Lock users and count so many events of each; returns their new versions."""
    rows = await tx.fetch(
        _COUNT_UP,
        [UUID(app_id) for app_id, _ in counts],
        [user_id for _, user_id in counts],
        list(counts.values()),
    )
    return {(AppId(str(row["app_id"])), row["id"]): row["version"] for row in rows}


async def mentioned_in(tx: Transaction, message_id: MessageId) -> frozenset[UserId | None]:
    """Who has a mention in a message (None: everybody), also one that an edit has taken back."""
    rows = await tx.fetch("select user_id from mention where message_id = $1", UUID(message_id))
    return frozenset(row["user_id"] for row in rows)


async def insert_mentions(tx: Transaction, mentions: Sequence[NewMention]) -> None:
    """Write new mentions of messages that are written already."""
    messages = [one.message for one in mentions]
    await tx.execute(
        _INSERT,
        [UUID(one.id) for one in mentions],
        [UUID(one.app_id) for one in mentions],
        [UUID(message.channel_id) for message in messages],
        [UUID(message.id) for message in messages],
        [one.user_id for one in mentions],
        [message.user_id for message in messages],
        [message.cv for message in messages],
        [message.seq for message in messages],
        [UUID(message.parent_id) if message.parent_id else None for message in messages],
        [message.thread_seq for message in messages],
        [one.created_at for one in mentions],
    )


_MEMBERS_AMONG = """
select wanted.place, wanted.user_id, exists (
    select from user_block as block
    where block.app_id = member.app_id and block.user_id = member.user_id and block.blocked_id = wanted.author_id
  ) or exists (
    select from user_mute as mute
    where mute.app_id = member.app_id and mute.user_id = member.user_id and mute.muted_id = wanted.author_id
  ) as deaf
from unnest($1::int[], $2::uuid[], $3::text[], $4::text[]) as wanted (place, channel_id, author_id, user_id)
join channel_member as member on member.channel_id = wanted.channel_id and member.user_id = wanted.user_id
join app_user on app_user.app_id = member.app_id and app_user.id = member.user_id
"""

_COUNT_UP = """
with locked as materialized (
  select app_user.app_id, app_user.id, named.added
  from unnest($1::uuid[], $2::text[], $3::int[]) as named (app_id, id, added)
  join app_user on app_user.app_id = named.app_id and app_user.id = named.id
  order by app_user.app_id, app_user.id
  for no key update of app_user
)
update app_user
set version = version + locked.added
from locked
where app_user.app_id = locked.app_id and app_user.id = locked.id
returning app_user.app_id, app_user.id, app_user.version
"""

_INSERT = """
insert into mention (
  id, app_id, channel_id, message_id, user_id, mentioned_by, cv, seq, parent_id, thread_seq, created_at
)
select *
from unnest(
  $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::uuid[],
  $10::bigint[], $11::timestamptz[]
)
"""
