"""SQL of reactions: the two statements of a batch's second phase, and the list of a message's reactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.events import log
from chat_service.events.log import LoggedEvent
from chat_service.messages.rules import ChannelHead
from chat_service.messages.store import TIMELINE_SEQ
from chat_service.moderation.restraint_store import RESTRAINT_COLUMNS, RESTRAINT_JOIN, restraint_of
from chat_service.reactions.rules import Decisions, Reacting, ReactionFacts
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def lock_head(tx: Transaction, app_id: AppId, channel_id: ChannelId) -> ChannelHead | None:
    """Lock one channel, waiting for whoever holds it; None when the app has no such channel."""
    row = await tx.fetchrow(_LOCK_HEAD, UUID(app_id), UUID(channel_id))
    if row is None:
        return None
    return ChannelHead(
        id=channel_id,
        app_id=app_id,
        type=row["type"],
        last_seq=row["last_seq"],
        cv=row["cv"],
        frozen=row["frozen"],
        deleted=False,
    )


async def reaction_facts(tx: Transaction, wanted: Sequence[Reacting]) -> list[ReactionFacts]:
    """With the snapshot after the lock: membership, message, the user's own reaction. In the order of `wanted`."""
    rows = await tx.fetch(
        _REACTION_FACTS,
        list(range(len(wanted))),
        [UUID(one.channel_id) for one in wanted],
        [UUID(one.message_id) for one in wanted],
        [one.user_id for one in wanted],
        [one.type for one in wanted],
    )
    return [_facts(row) for row in rows]


async def write_reactions(
    tx: Transaction,
    channels: Sequence[ChannelHead],
    decisions: Decisions,
    wanted: Sequence[Reacting],
    events: Sequence[LoggedEvent],
) -> None:
    """Counters, rows and events in one statement. `wanted` are the changes made, `events` what is told of them."""
    changed = {(one.message_id, one.user_id, one.type): one for one in wanted}
    gone = [key for key in changed if decisions.after[key] is None and decisions.before[key] is not None]
    there = [(one, at) for key, one in changed.items() if (at := decisions.after[key]) is not None]
    messages = {one.message_id: decisions.messages[one.message_id] for one in wanted}
    await tx.execute(
        _WRITE_REACTIONS,
        [UUID(channel.id) for channel in channels],
        [channel.cv for channel in channels],
        [UUID(message_id) for message_id in messages],
        [orjson.dumps(message.counts).decode() for message in messages.values()],
        [message.cv for message in messages.values()],
        [UUID(message_id) for message_id, _, _ in gone],
        [user_id for _, user_id, _ in gone],
        [reaction_type for _, _, reaction_type in gone],
        [UUID(one.message_id) for one, _ in there],
        [one.user_id for one, _ in there],
        [one.type for one, _ in there],
        [UUID(one.app_id) for one, _ in there],
        [UUID(one.channel_id) for one, _ in there],
        [at for _, at in there],
        *log.columns(events),
    )


Position = tuple[str, datetime, UserId]
"""Type, time and user of a reaction: its place in the list."""


async def list_reactions(
    connection: Connection,
    message_id: MessageId,
    *,
    only: str | None,
    after: Position | None,
    limit: int,
) -> Sequence[Row]:
    """The reactions of a message by type, then time; `only` those of one type."""
    reaction_type, at, user_id = after or (None, None, None)
    return await connection.fetch(_LIST_REACTIONS, UUID(message_id), only, reaction_type, at, user_id, limit)


async def own_reactions(
    connection: Connection, user_id: UserId, message_ids: Sequence[MessageId]
) -> dict[MessageId, list[str]]:
    """How one user reacted to each of these messages, in the order of reacting."""
    rows = await connection.fetch(_OWN_REACTIONS, [UUID(one) for one in message_ids], user_id)
    own: dict[MessageId, list[str]] = {}
    for row in rows:
        own.setdefault(MessageId(str(row["message_id"])), []).append(row["type"])
    return own


def _facts(row: Row) -> ReactionFacts:
    counts = row["reaction_counts"]
    return ReactionFacts(
        role=row["role"],
        hidden=row["hidden"],
        allowed=row["allowed"],
        deleted=row["deleted"],
        counts=None if counts is None else orjson.loads(counts),
        reacted_at=row["reacted_at"],
        restraint=restraint_of(row),
        only_for=row["only_for"],
    )


_LOCK_HEAD = """
select type, last_seq, cv, frozen
from channel
where app_id = $1 and id = $2 and deleted_at is null
for no key update
"""

_REACTION_FACTS = f"""
select member.role,
  channel.type = 'private' or coalesce((channel.config ->> 'private')::boolean, false)
    or channel.workspace_id is not null and not exists (
      select from workspace_member inside
      where inside.workspace_id = channel.workspace_id and inside.user_id = wanted.user_id
    ) as hidden,
  coalesce((channel.config ->> 'reactions')::boolean, true) as allowed,
  m.reaction_counts, m.deleted_at is not null as deleted, own.created_at as reacted_at,
  case when m.shadowed_after is not null then m.user_id end as only_for, {RESTRAINT_COLUMNS}
from unnest($1::int[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])
  as wanted (position, channel_id, message_id, user_id, type)
join channel on channel.id = wanted.channel_id
left join channel_member member on member.channel_id = wanted.channel_id and member.user_id = wanted.user_id
left join message m
  on m.id = wanted.message_id and m.channel_id = wanted.channel_id
  and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
  and (m.shadowed_after is null or m.user_id = wanted.user_id)
left join reaction own on own.message_id = m.id and own.user_id = wanted.user_id and own.type = wanted.type
{RESTRAINT_JOIN}
order by wanted.position
"""

_WRITE_REACTIONS = """
with moved as (
  update channel
  set cv = counted.cv
  from unnest($1::uuid[], $2::bigint[]) as counted (id, cv)
  where channel.id = counted.id
), counted as (
  update message
  set reaction_counts = now_has.counts::jsonb, cv = now_has.cv
  from unnest($3::uuid[], $4::text[], $5::bigint[]) as now_has (id, counts, cv)
  where message.id = now_has.id
), gone as (
  delete from reaction
  using unnest($6::uuid[], $7::text[], $8::text[]) as taken_back (message_id, user_id, type)
  where reaction.message_id = taken_back.message_id and reaction.user_id = taken_back.user_id
    and reaction.type = taken_back.type
), made as (
  insert into reaction (message_id, user_id, type, app_id, channel_id, created_at)
  select message_id, user_id, type, app_id, channel_id, created_at
  from unnest($9::uuid[], $10::text[], $11::text[], $12::uuid[], $13::uuid[], $14::timestamptz[])
    as there (message_id, user_id, type, app_id, channel_id, created_at)
  on conflict (message_id, user_id, type) do update set created_at = excluded.created_at
)
insert into event (id, app_id, type, subject, version, channel_id, lane, copies, body)
select id, app_id, type, subject, version, channel_id, lane, string_to_array(copies, ' '), body
from unnest(
  $15::uuid[], $16::uuid[], $17::text[], $18::text[], $19::bigint[], $20::uuid[], $21::smallint[], $22::text[],
  $23::bytea[]
) as e (id, app_id, type, subject, version, channel_id, lane, copies, body)
"""

_LIST_REACTIONS = """
select type, user_id, created_at
from reaction
where message_id = $1 and ($2::text is null or type = $2)
  and ($3::text is null or (type, created_at, user_id) > ($3, $4::timestamptz, $5::text))
order by type, created_at, user_id
limit $6
"""

_OWN_REACTIONS = """
select message_id, type
from reaction
where message_id = any($1::uuid[]) and user_id = $2
order by created_at, type
"""
