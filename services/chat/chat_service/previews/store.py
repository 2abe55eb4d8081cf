"""SQL of link previews: what is to be looked at, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.messages.store import previews_json
from chat_service.previews.rules import WantedPreview
from chatsdk_contracts.ids import AppId, ChannelId, MessageId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Job:
    """A message to look at. `attempts` counts this one."""

    message_id: MessageId
    app_id: AppId
    channel_id: ChannelId
    version: int
    attempts: int


async def enqueue(tx: Transaction, wanted: Sequence[WantedPreview], now: datetime) -> None:
    """Have these messages looked at; of an edited one the links of its new version."""
    await tx.execute(
        _ENQUEUE,
        [UUID(one.message_id) for one in wanted],
        [UUID(one.channel_id) for one in wanted],
        [one.version for one in wanted],
        now,
    )


async def claim(tx: Transaction, now: datetime, until: datetime, limit: int) -> list[Job]:
    """Take what is due; unless it is finished, it is due again at `until`, should this process die."""
    return [
        Job(
            MessageId(str(row["message_id"])),
            AppId(str(row["app_id"])),
            ChannelId(str(row["channel_id"])),
            row["version"],
            row["attempts"],
        )
        for row in await tx.fetch(_CLAIM, now, until, limit)
    ]


async def finish(tx: Transaction, job: Job, outcome: str, now: datetime) -> None:
    """Write down what came of it; a job that was renewed meanwhile is left as it is."""
    await tx.execute(_FINISH, UUID(job.message_id), job.version, outcome, now)


async def put_off(tx: Transaction, job: Job, outcome: str, until: datetime) -> None:
    """Try again at this time."""
    await tx.execute(_PUT_OFF, UUID(job.message_id), job.version, outcome, until)


async def write_previews(tx: Transaction, message: Message, event_id: str) -> None:
    """Show previews with a message, and note which event tells of them."""
    await tx.execute(_WRITE, UUID(message.id), previews_json(message), message.cv, UUID(event_id))


async def forget_jobs(connection: Connection, *, before: datetime, limit: int = 5_000) -> int:
    """Delete finished jobs past their time, at most `limit` at a time; returns how many."""
    return len(await connection.fetch(_FORGET, before, limit))


_ENQUEUE = """
insert into link_preview_job as job (message_id, app_id, channel_id, version, due_at)
select wanted.message_id, channel.app_id, wanted.channel_id, wanted.version, $4
from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as wanted (message_id, channel_id, version)
join channel on channel.id = wanted.channel_id
on conflict (message_id) do update
set version = excluded.version, due_at = excluded.due_at, attempts = 0, finished_at = null, outcome = null
"""

_CLAIM = """
update link_preview_job as job
set attempts = attempts + 1, due_at = $2
where message_id in (
  select message_id
  from link_preview_job
  where finished_at is null and due_at <= $1
  order by due_at
  limit $3
  for update skip locked
)
returning message_id, app_id, channel_id, version, attempts
"""

_FINISH = """
update link_preview_job
set finished_at = $4, outcome = $3
where message_id = $1 and version = $2 and finished_at is null
"""

_PUT_OFF = """
update link_preview_job
set due_at = $4, outcome = $3
where message_id = $1 and version = $2 and finished_at is null
"""

_WRITE = """
update message
set link_previews = $2::jsonb, cv = $3, event_ids = event_ids || $4::uuid
where id = $1
"""

_FORGET = """
delete from link_preview_job
where message_id in (
  select message_id from link_preview_job where finished_at is not null and finished_at < $1 limit $2
)
returning 1
"""
