"""SQL of retention: which apps keep messages for how long, and where there are older ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.apps.settings_model import AppSettings
from chat_service.retention.rules import Policy, policies_of
from chatsdk_contracts.ids import AppId, ChannelId
from chatsdk_runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Overdue:
    """A channel whose timeline begins with messages that are too old, and the last of them in a row."""

    app_id: AppId
    channel_id: ChannelId
    up_to_seq: int


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
