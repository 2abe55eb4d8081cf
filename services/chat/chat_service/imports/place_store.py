"""SQL of the end of an import: places for messages in the order of time, and who is to be told."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from chat_service.imports.rules import Placed, Waiting
from chatsdk_contracts.ids import ChannelId
from chatsdk_runtime.postgres import Connection, Transaction


async def next_waiting_channel(connection: Connection, job_id: str) -> ChannelId | None:
    """A channel with messages that have no place yet."""
    found = await connection.fetchval(_NEXT_WAITING, UUID(job_id))
    return None if found is None else ChannelId(str(found))


async def waiting_messages(
    tx: Transaction, job_id: str, channel_id: ChannelId, *, limit: int
) -> list[Waiting]:
    """The oldest messages of a locked channel that have no place yet."""
    rows = await tx.fetch(_WAITING, UUID(job_id), UUID(channel_id), limit)
    return [
        Waiting(row["message_id"], row["parent_id"], row["created_at"], row["last_thread_seq"] or 0)
        for row in rows
    ]


async def write_places(
    tx: Transaction, job_id: str, channel_id: ChannelId, placed: Placed, *, before: int
) -> None:
    """Write numbers of messages, threads and their locked channel; who had read everything has read these too."""
    await tx.execute(_WRITE_SEQS, *_columns(placed.seqs))
    await tx.execute(_WRITE_THREAD_SEQS, *_columns(placed.thread_seqs))
    threads = placed.threads.values()
    await tx.execute(
        _WRITE_THREADS,
        list(placed.threads),
        [last for last, _, _ in threads],
        [at for _, _, at in threads],
    )
    if placed.threads:
        await tx.execute(_WRITE_THREAD_PLACES, list(placed.thread_seqs), list(placed.threads))
        await tx.execute(_COUNT_THREADS, list(placed.threads))
    await tx.execute(_WRITE_CHANNEL, UUID(channel_id), placed.last_seq, len(placed.seqs), list(placed.seqs))
    await tx.execute(_WRITE_MARKERS, UUID(channel_id), before, placed.last_seq)
    await tx.execute(_MARK_PLACED, UUID(job_id), [*placed.seqs, *placed.thread_seqs])


async def mark_rest(tx: Transaction, job_id: str, channel_id: ChannelId) -> None:
    """What else waits in a locked channel has its place already, given by another import."""
    await tx.execute(_MARK_REST, UUID(job_id), UUID(channel_id))


async def take_placed(tx: Transaction, job_id: str, *, limit: int) -> list[UUID]:
    """Messages that have their places and are to be indexed; they are on their way no longer."""
    return [row["message_id"] for row in await tx.fetch(_TAKE_PLACED, UUID(job_id), limit)]


async def next_changed_channel(connection: Connection, job_id: str) -> ChannelId | None:
    """A channel that the import changed and whose members do not know it yet."""
    found = await connection.fetchval(
        "select channel_id from import_channel where job_id = $1 order by channel_id limit 1", UUID(job_id)
    )
    return None if found is None else ChannelId(str(found))


async def reset_members(tx: Transaction, channel_id: ChannelId, cv: int) -> None:
    """Everybody in a locked channel is to load it anew: as if they had come in at this version."""
    await tx.execute(_RESET_MEMBERS, UUID(channel_id), cv)


async def forget_channel(tx: Transaction, job_id: str, channel_id: ChannelId) -> None:
    """The channel's members know."""
    await tx.execute(
        "delete from import_channel where job_id = $1 and channel_id = $2", UUID(job_id), UUID(channel_id)
    )


def _columns(numbers: Mapping[UUID, int]) -> tuple[list[UUID], list[int]]:
    return list(numbers), list(numbers.values())


_NEXT_WAITING = """
select channel_id
from import_message
where job_id = $1 and not placed
order by channel_id
limit 1
"""

_WAITING = """
select waiting.message_id, waiting.created_at, message.parent_id, parent.last_thread_seq
from import_message waiting
join message on message.id = waiting.message_id
left join message parent on parent.id = message.parent_id
where waiting.job_id = $1 and waiting.channel_id = $2 and not waiting.placed
  and message.seq is null and message.thread_seq is null
order by waiting.created_at, waiting.message_id
limit $3
"""

_WRITE_SEQS = """
update message
set seq = placed.seq, cv = (select cv + 1 from channel where channel.id = message.channel_id)
from unnest($1::uuid[], $2::bigint[]) as placed (id, seq)
where message.id = placed.id
"""

_WRITE_THREAD_SEQS = """
update message
set thread_seq = placed.seq, cv = (select cv + 1 from channel where channel.id = message.channel_id)
from unnest($1::uuid[], $2::bigint[]) as placed (id, seq)
where message.id = placed.id
"""

_WRITE_THREADS = """
update message
set last_thread_seq = thread.last, last_reply_at = greatest(last_reply_at, thread.at)
from unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) as thread (id, last, at)
where message.id = thread.id
"""

# Who replied takes part, and whose message it is follows; what is imported is read.
_WRITE_THREAD_PLACES = """
insert into thread_place as place
  (parent_id, user_id, app_id, channel_id, reply_count, last_reply_seq, last_read_seq, followed)
select parent_id, user_id, app_id, channel_id, sum(replies), max(seq), max(seq), true
from (
  select parent_id, user_id, app_id, channel_id, (deleted_at is null)::int as replies, thread_seq as seq
  from message
  where id = any($1::uuid[])
  union all
  select id, user_id, app_id, channel_id, 0, 0
  from message
  where id = any($2::uuid[])
) as part
group by parent_id, user_id, app_id, channel_id
order by parent_id, user_id
on conflict (parent_id, user_id) do update
set reply_count = place.reply_count + excluded.reply_count,
  last_reply_seq = greatest(place.last_reply_seq, excluded.last_reply_seq),
  last_read_seq = greatest(place.last_read_seq, excluded.last_read_seq)
"""

_COUNT_THREADS = """
update message as parent
set reply_count = counted.replies, participant_count = counted.participants
from (
  select parent_id, sum(reply_count) as replies, count(*) filter (where reply_count > 0) as participants
  from thread_place
  where parent_id = any($1::uuid[])
  group by parent_id
) as counted
where parent.id = counted.parent_id
"""

_WRITE_CHANNEL = """
update channel
set last_seq = $2, message_count = message_count + $3,
  last_message_at = greatest(last_message_at, (select max(created_at) from message where id = any($4::uuid[])))
where id = $1
"""

_WRITE_MARKERS = """
update channel_member
set last_read_seq = $3
where channel_id = $1 and last_read_seq = $2
"""

_MARK_PLACED = "update import_message set placed = true where job_id = $1 and message_id = any($2::uuid[])"

_MARK_REST = "update import_message set placed = true where job_id = $1 and channel_id = $2 and not placed"

_TAKE_PLACED = """
delete from import_message
where job_id = $1 and message_id in (select message_id from import_message where job_id = $1 and placed limit $2)
returning message_id
"""

_RESET_MEMBERS = "update channel_member set joined_cv = $2 where channel_id = $1"
