"""SQL of a batch of sends: three statements, with nothing read before the lock that decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.events import log
from chat_service.events.log import LoggedEvent
from chat_service.messages.rules import Accepted, ChannelHead, Send, SendFacts
from chat_service.messages.store import COLUMNS, attachments_json, message_of
from chat_service.moderation.restraint_store import RESTRAINT_COLUMNS, RESTRAINT_JOIN, restraint_of
from chat_service.threads.rules import Counted
from chat_service.uploads.link_store import link, links_of
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction

# Between the ids of a list within an array's text; no user id holds it.
_SEPARATOR = "\x1f"


async def lock_channels(tx: Transaction, ids: Sequence[UUID]) -> dict[ChannelId, ChannelHead]:
    """(1) Lock what can be locked now; a channel that somebody else holds is left for the next round."""
    heads = [_channel_head(row) for row in await tx.fetch(_LOCK_CHANNELS, ids)]
    return {head.id: head for head in heads}


async def peek_channels(connection: Connection, ids: Sequence[UUID]) -> dict[ChannelId, ChannelHead]:
    """The same without a lock, to see what would be decided now."""
    heads = [_channel_head(row) for row in await connection.fetch(_PEEK_CHANNELS, ids)]
    return {head.id: head for head in heads}


async def existing_channels(tx: Transaction, ids: Sequence[UUID]) -> set[ChannelId]:
    """Which of these exist: locked by somebody else, as they were not returned by `lock_channels`."""
    rows = await tx.fetch("select id from channel where id = any($1::uuid[])", ids)
    return {ChannelId(str(row["id"])) for row in rows}


async def send_facts(connection: Connection, sends: Sequence[Send]) -> list[SendFacts]:
    """(2) With the snapshot after the lock: membership, repeats, what is replied to. In the order of `sends`."""
    rows = await connection.fetch(
        _SEND_FACTS,
        list(range(len(sends))),
        [UUID(send.channel_id) for send in sends],
        [send.user_id for send in sends],
        [send.client_msg_id for send in sends],
        [UUID(send.parent_id) if send.parent_id else None for send in sends],
        [UUID(send.reply_to_id) if send.reply_to_id else None for send in sends],
        [UUID(send.message_id) if send.message_id else None for send in sends],
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
            id_is_taken=row["taken"] is not None,
            deleted_before=row["deleted_before"],
            parent_seq=row["parent_seq"],
            reply_to_seq=row["reply_to_seq"],
            last_sent_at=row["last_sent_at"],
            in_workspace=row["in_workspace"],
            restraint=restraint_of(row),
            parent_is_shadowed=row["parent_is_shadowed"],
        )
    return [fact for fact in facts if fact is not None]


async def write_sends(
    tx: Transaction,
    channels: Sequence[ChannelHead],
    threads: Sequence[Counted],
    accepted: Sequence[Accepted],
    events: Sequence[LoggedEvent],
    now: datetime,
    slowed: Collection[tuple[ChannelId, UserId]] = (),
) -> None:
    """(3) Counters, messages and events in one statement; `slowed` sent in slow mode, which is remembered.

    The first of `events` tell of the messages, one each and in their order.
    """
    await tx.execute(
        _WRITE_SENDS,
        now,
        [UUID(channel.id) for channel in channels],
        [channel.last_seq for channel in channels],
        [channel.cv for channel in channels],
        # Null where the members hear of nothing: the channel has not become younger for them.
        [channel.added if channel.is_told else None for channel in channels],
        *_thread_columns(threads),
        *_message_columns(accepted, events[: len(accepted)]),
        *log.columns(events),
        *_sender_columns(accepted, slowed),
        [one.cv for one in threads],
        [one.grown.joined for one in threads],
        [_SEPARATOR.join(one.message.mentions) for one in accepted],
        [_SEPARATOR.join(one.message.mention_groups) for one in accepted],
        [one.shadowed_after for one in accepted],
        [one.message.text_mode for one in accepted],
    )
    links = links_of(one.message for one in accepted)
    if links:
        await link(tx, links)


def _thread_columns(threads: Sequence[Counted]) -> tuple[list[object], ...]:
    """What replies add to their threads' first messages."""
    grown = [one.grown for one in threads]
    return (
        [UUID(one.thread.parent_id) for one in grown],
        [one.added for one in grown],
        [one.thread.last_thread_seq for one in grown],
    )


def _sender_columns(
    accepted: Sequence[Accepted], slowed: Collection[tuple[ChannelId, UserId]]
) -> tuple[list[object], ...]:
    """Who sent where, up to which seq they have therefore read, and whether slow mode remembers it."""
    read_seqs: dict[tuple[ChannelId, UserId], int] = {}
    for one in accepted:
        # Whoever writes what nobody else sees has read what stands before it.
        seq = one.message.seq if one.shadowed_after is None else one.shadowed_after
        if seq is not None and one.message.parent_id is None:
            read_seqs[one.message.channel_id, one.message.user_id] = seq
    senders = list(dict.fromkeys([*read_seqs, *slowed]))
    return (
        [UUID(channel_id) for channel_id, _ in senders],
        [user_id for _, user_id in senders],
        [read_seqs.get(sender, 0) for sender in senders],
        [sender in slowed for sender in senders],
    )


def _message_columns(accepted: Sequence[Accepted], events: Sequence[LoggedEvent]) -> tuple[list[object], ...]:
    messages = [one.message for one in accepted]
    return (
        [UUID(message.id) for message in messages],
        [UUID(message.channel_id) for message in messages],
        [UUID(one.send.app_id) for one in accepted],
        [message.user_id for message in messages],
        [message.type for message in messages],
        [message.text for message in messages],
        [attachments_json(message) for message in messages],
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
        [message.hlc for message in messages],
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
        config=ChannelConfig.model_validate_json(row["config"]),
        workspace_id=None if row["workspace_id"] is None else str(row["workspace_id"]),
        truncated_seq=row["truncated_seq"],
    )


_PEEK_CHANNELS = """
select id, app_id, type, last_seq, cv, frozen, config, workspace_id, truncated_seq, deleted_at is not null as deleted
from channel
where id = any($1::uuid[])
order by id
"""

_LOCK_CHANNELS = f"{_PEEK_CHANNELS}for no key update skip locked"

_SEND_FACTS = f"""
select sent.position, member.role, {COLUMNS}, m.request_hash,
  parent.last_thread_seq as parent_last_seq, parent.parent_id is null as parent_is_top,
  replied.id as reply_to_found, parent.seq as parent_seq,
  coalesce(replied.seq, (select first.seq from message first where first.id = replied.parent_id)) as reply_to_seq,
  member.last_sent_at,
  member.user_id is null and exists (
    select from channel
    join workspace_member inside on inside.workspace_id = channel.workspace_id
    where channel.id = sent.channel_id and inside.user_id = sent.user_id
  ) as in_workspace,
  taken.id as taken, gone.created_at as deleted_before,
  parent.shadowed_after is not null as parent_is_shadowed, {RESTRAINT_COLUMNS}
from unnest($1::int[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::uuid[])
  as sent (position, channel_id, user_id, client_msg_id, parent_id, reply_to_id, message_id)
left join channel_member member on member.channel_id = sent.channel_id and member.user_id = sent.user_id
left join message m
  on m.channel_id = sent.channel_id and m.user_id = sent.user_id and m.client_msg_id = sent.client_msg_id
left join message parent
  on parent.id = sent.parent_id and parent.channel_id = sent.channel_id and parent.status = 'sent'
  and (parent.shadowed_after is null or parent.user_id = sent.user_id)
left join message replied
  on replied.id = sent.reply_to_id and replied.channel_id = sent.channel_id and replied.status = 'sent'
  and (replied.shadowed_after is null or replied.user_id = sent.user_id)
left join message taken on taken.id = sent.message_id
left join pre_tombstone gone
  on gone.message_id = sent.message_id and gone.channel_id = sent.channel_id and gone.user_id = sent.user_id
{RESTRAINT_JOIN}
"""

_WRITE_SENDS = """
with moved as (
  update channel
  set last_seq = counted.last_seq, cv = counted.cv, message_count = message_count + coalesce(counted.added, 0),
      last_message_at = case when counted.added is null then last_message_at else $1 end
  from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::int[]) as counted (id, last_seq, cv, added)
  where channel.id = counted.id
), senders as (
  update channel_member as place
  set last_read_seq = greatest(place.last_read_seq, sender.seq),
    receipt_seq = greatest(place.receipt_seq, sender.seq),
    last_sent_at = case when sender.is_slowed then $1 else place.last_sent_at end
  from unnest($36::uuid[], $37::text[], $38::bigint[], $39::boolean[])
    as sender (channel_id, user_id, seq, is_slowed)
  where place.channel_id = sender.channel_id and place.user_id = sender.user_id
), threads as (
  update message
  set reply_count = reply_count + thread.added, last_thread_seq = thread.last_seq, last_reply_at = $1,
    cv = thread.cv, participant_count = participant_count + thread.joined
  from unnest($6::uuid[], $7::int[], $8::bigint[], $40::bigint[], $41::int[])
    as thread (id, added, last_seq, cv, joined)
  where message.id = thread.id
), written as (
  insert into message (
    id, channel_id, app_id, user_id, type, text, attachments, seq, thread_seq, cv, client_msg_id, request_hash,
    parent_id, reply_to_id, silent, custom, event_ids, hlc, mentions, mention_groups, shadowed_after, text_mode,
    created_at, updated_at
  )
  select id, channel_id, app_id, user_id, type, text, attachments::jsonb, seq, thread_seq, cv, client_msg_id,
    request_hash, parent_id, reply_to_id, silent, custom::jsonb, array[event_id], hlc,
    string_to_array(mentions, chr(31)), string_to_array(mention_groups, chr(31)), shadowed_after, text_mode, $1, $1
  from unnest(
    $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bigint[],
    $17::bigint[], $18::bigint[], $19::text[], $20::bytea[], $21::uuid[], $22::uuid[], $23::boolean[],
    $24::text[], $25::uuid[], $26::text[], $42::text[], $43::text[], $44::bigint[], $45::text[]
  ) as sent (
    id, channel_id, app_id, user_id, type, text, attachments, seq, thread_seq, cv, client_msg_id, request_hash,
    parent_id, reply_to_id, silent, custom, event_id, hlc, mentions, mention_groups, shadowed_after, text_mode
  )
)
insert into event (id, app_id, type, subject, version, channel_id, lane, copies, body)
select id, app_id, type, subject, version, channel_id, lane, string_to_array(copies, ' '), body
from unnest(
  $27::uuid[], $28::uuid[], $29::text[], $30::text[], $31::bigint[], $32::uuid[], $33::smallint[], $34::text[],
  $35::bytea[]
) as e (id, app_id, type, subject, version, channel_id, lane, copies, body)
"""
