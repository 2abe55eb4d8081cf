"""SQL of retention: which apps keep messages for how long, and where there are older ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.apps.settings_model import AppSettings
from chat_service.messages.store import COLUMNS, message_of
from chat_service.retention.rules import Policy, policies_of
from chatsdk_contracts.ids import AppId, ChannelId, MessageId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Overdue:
    """A channel whose timeline begins with messages that are too old, and the last of them in a row."""

    app_id: AppId
    channel_id: ChannelId
    up_to_seq: int


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message that is held or was rejected, and is too old."""

    app_id: AppId
    channel_id: ChannelId
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class Scanned:
    """A part of all channels: what is overdue in it, and the last one looked at (None: the end)."""

    overdue: Sequence[Overdue]
    last: str | None


async def read_policies(connection: Connection) -> list[Policy]:
    """Of every app that keeps something for a limited time."""
    rows = await connection.fetch("select id, settings from app where settings ? 'retentionDays'")
    return [
        policy
        for row in rows
        for policy in policies_of(
            AppId(str(row["id"])), AppSettings.model_validate_json(row["settings"]).retention_days
        )
    ]


async def scan_channels(
    connection: Connection, policies: Sequence[Policy], now: datetime, *, after: str, limit: int, longest: int
) -> Scanned:
    """Look at the next channels by id; of each at most `longest` messages are overdue at a time."""
    last = await connection.fetchval(_LAST, UUID(after), limit)
    if last is None:
        return Scanned((), None)
    rows = await connection.fetch(
        _OVERDUE,
        UUID(after),
        last,
        [UUID(policy.app_id) for policy in policies],
        [policy.channel_type for policy in policies],
        [policy.kept_since(now) for policy in policies],
        longest,
    )
    overdue = [
        Overdue(AppId(str(row["app_id"])), ChannelId(str(row["id"])), row["up_to_seq"]) for row in rows
    ]
    return Scanned(overdue, str(last))


async def scan_unsent(
    connection: Connection, policy: Policy, now: datetime, *, limit: int
) -> Sequence[Unsent]:
    """The oldest messages without a place in a channel that are too old, but for those under a legal hold."""
    rows = await connection.fetch(
        _UNSENT, UUID(policy.app_id), policy.channel_type, policy.kept_since(now), limit
    )
    return [
        Unsent(policy.app_id, ChannelId(str(row["channel_id"])), MessageId(str(row["id"]))) for row in rows
    ]


async def lock_unsent(tx: Transaction, unsent: Unsent) -> Message | None:
    """The message, if it still has no place and something to say. Locked itself, too: its channel may be deleted."""
    row = await tx.fetchrow(_LOCK_UNSENT, UUID(unsent.app_id), UUID(unsent.message_id))
    return None if row is None else message_of(row)


_LAST = """
select id
from (select id from channel where id > $1 order by id limit $2) as part
order by id desc
limit 1
"""

# The first message that is kept ends what goes: a younger one is never taken for the age of those behind it. Seqs
# are dense, so that both look-ups read the beginning of the timeline only.
_OVERDUE = """
select channel.id, channel.app_id, last.up_to_seq
from channel
join unnest($3::uuid[], $4::text[], $5::timestamptz[]) as policy (app_id, channel_type, kept_since)
  on policy.app_id = channel.app_id and policy.channel_type = channel.type
cross join lateral (
  select coalesce(
    (
      select seq - 1
      from message
      where channel_id = channel.id and seq > channel.purge_seq and seq <= channel.purge_seq + $6
        and created_at >= policy.kept_since
      order by seq
      limit 1
    ),
    least(channel.last_seq, channel.purge_seq + $6)
  ) as up_to_seq
) as last
where channel.id > $1 and channel.id <= $2 and channel.deleted_at is null
  and channel.purge_seq < channel.last_seq and last.up_to_seq > channel.purge_seq
order by channel.id
"""

_UNSENT = """
select m.id, m.channel_id
from message m
join channel on channel.id = m.channel_id
where m.app_id = $1 and m.status <> 'sent' and m.deleted_at is null and m.created_at < $3 and channel.type = $2
  and not exists (
    select from legal_hold as hold
    where hold.app_id = $1 and hold.released_at is null
      and (hold.channel_id = m.channel_id or hold.user_id = m.user_id)
  )
order by m.created_at, m.id
limit $4
"""

_LOCK_UNSENT = f"""
select {COLUMNS}
from message m
where m.app_id = $1 and m.id = $2 and m.status <> 'sent' and m.deleted_at is null
for update
"""
