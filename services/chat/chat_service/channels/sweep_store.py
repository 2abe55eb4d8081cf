"""SQL of the sweep: what is to be wiped, which channels are to go, who is to leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chatsdk_contracts.ids import AppId, ChannelId, UserId, WorkspaceId
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Purge:
    """A channel whose messages behind `purged_seq` and up to `purge_seq` are to be wiped."""

    app_id: AppId
    channel_id: ChannelId
    purged_seq: int
    purge_seq: int


@dataclass(frozen=True, slots=True)
class Leaver:
    """A user who is out of a workspace and perhaps still in channels of it."""

    app_id: AppId
    workspace_id: WorkspaceId
    user_id: UserId
    actor_id: UserId | None


async def next_purge(connection: Connection) -> Purge | None:
    """A channel with something to wipe, and nothing that is held."""
    row = await connection.fetchrow(_NEXT_PURGE)
    if row is None:
        return None
    return Purge(AppId(str(row["app_id"])), ChannelId(str(row["id"])), row["purged_seq"], row["purge_seq"])


async def messages_to_wipe(
    connection: Connection, purge: Purge, *, up_to_seq: int, limit: int
) -> Mapping[UUID, Sequence[UUID]]:
    """Messages not wiped yet up to a seq, and replies to them: by id, the events that carry what they said."""
    rows = await connection.fetch(_TO_WIPE, UUID(purge.channel_id), purge.purged_seq, up_to_seq, limit)
    return {row["id"]: row["event_ids"] for row in rows}


async def fetch_bodies(connection: Connection, event_ids: Sequence[UUID]) -> Mapping[UUID, bytes]:
    """The logged bytes of these events, as far as the log still has them."""
    rows = await connection.fetch(_FETCH_BODIES, event_ids, min(event_ids), max(event_ids))
    return {row["id"]: row["body"] for row in rows}


async def wipe_messages(tx: Transaction, message_ids: Sequence[UUID], now: datetime) -> None:
    """Leave the rows, which repeats of their client ids find, and nothing of what was said."""
    await tx.execute(_WIPE, message_ids, now)


async def mark_purged(tx: Transaction, channel_id: ChannelId, seq: int) -> None:
    """Write down how far a locked channel is wiped."""
    await tx.execute(_MARK_PURGED, UUID(channel_id), seq)


async def channel_to_delete(connection: Connection) -> tuple[AppId, WorkspaceId, ChannelId | None] | None:
    """A deleted workspace that counts channels, and one of these (None: it has none)."""
    row = await connection.fetchrow(_CHANNEL_TO_DELETE)
    if row is None:
        return None
    channel_id = None if row["channel_id"] is None else ChannelId(str(row["channel_id"]))
    return AppId(str(row["app_id"])), WorkspaceId(str(row["id"])), channel_id


async def mark_empty(tx: Transaction, workspace_id: WorkspaceId) -> None:
    """A deleted workspace has no channels any more."""
    await tx.execute(_MARK_EMPTY, UUID(workspace_id))


async def next_leaver(connection: Connection) -> Leaver | None:
    """Somebody to be taken out of a workspace's channels."""
    row = await connection.fetchrow(_NEXT_LEAVER)
    if row is None:
        return None
    return Leaver(
        AppId(str(row["app_id"])), WorkspaceId(str(row["workspace_id"])), row["user_id"], row["actor_id"]
    )


async def hold_leaver(tx: Transaction, leaver: Leaver) -> bool:
    """Whether the user is still to be taken out; nobody brings them back until the end of the transaction."""
    return await tx.fetchval(_HOLD_LEAVER, UUID(leaver.workspace_id), leaver.user_id) is not None


async def channel_to_leave(connection: Connection, leaver: Leaver) -> ChannelId | None:
    """A channel of the workspace that the user is still in."""
    row_id = await connection.fetchval(
        _CHANNEL_TO_LEAVE, UUID(leaver.app_id), leaver.user_id, UUID(leaver.workspace_id)
    )
    return None if row_id is None else ChannelId(str(row_id))


async def forget_leaver(tx: Transaction, leaver: Leaver) -> None:
    """The user is in no channel of the workspace any more."""
    await tx.execute(_FORGET_LEAVER, UUID(leaver.workspace_id), leaver.user_id)


_NEXT_PURGE = """
select app_id, id, purged_seq, purge_seq
from channel
where purge_seq > purged_seq
  and not exists (
    select from legal_hold as hold
    where hold.app_id = channel.app_id and hold.released_at is null
      and (
        hold.channel_id = channel.id
        or exists (select from message where message.channel_id = channel.id and message.user_id = hold.user_id)
      )
  )
order by id
limit 1
"""

_TO_WIPE = """
select m.id, m.event_ids
from (
  select id from message where channel_id = $1 and seq > $2 and seq <= $3
  union all
  select id from message where channel_id = $1 and shadowed_after >= $2 and shadowed_after < $3
) as first
cross join lateral (
  select id, type, event_ids from message where id = first.id
  union all
  select id, type, event_ids from message where parent_id = first.id
) as m
where m.type <> 'deleted' or m.event_ids <> '{}'
limit $4
"""

_FETCH_BODIES = "select id, body from event where id = any($1::uuid[]) and id between $2 and $3"

_WIPE = """
with history as (
  delete from message_history where message_id = any($1::uuid[])
), copy as (
  delete from deleted_content where message_id = any($1::uuid[])
), reactions as (
  delete from reaction where message_id = any($1::uuid[])
), saved as (
  delete from saved_message where message_id = any($1::uuid[])
), polls as (
  delete from poll where message_id = any($1::uuid[])
), mentioned as (
  delete from mention where message_id = any($1::uuid[])
), verdicts as (
  delete from screening_verdict where message_id = any($1::uuid[])
), collab_ops as (
  delete from collab_op where message_id = any($1::uuid[])
), collab_texts as (
  delete from collab_text where message_id = any($1::uuid[])
)
update message
set type = 'deleted', text = '', attachments = '[]', custom = '{}', mentions = '{}', mention_groups = '{}',
  link_previews = '[]', reaction_counts = '{}', pinned_at = null, pinned_by = null, poll_id = null, text_mode = null,
  event_ids = '{}',
  version = version + 1,
  updated_at = $2, deleted_at = coalesce(deleted_at, $2)
where id = any($1::uuid[])
"""

_MARK_PURGED = "update channel set purged_seq = greatest(purged_seq, $2) where id = $1"

_CHANNEL_TO_DELETE = """
select workspace.app_id, workspace.id, channel.id as channel_id
from workspace
left join channel on channel.workspace_id = workspace.id and channel.deleted_at is null
where workspace.deleted_at is not null and workspace.channel_count > 0
limit 1
"""

_MARK_EMPTY = "update workspace set channel_count = 0 where id = $1"

_NEXT_LEAVER = """
select app_id, workspace_id, user_id, actor_id
from workspace_leaver
order by workspace_id, user_id
limit 1
"""

_HOLD_LEAVER = """
select user_id
from workspace_leaver
where workspace_id = $1 and user_id = $2
for update
"""

_CHANNEL_TO_LEAVE = """
select channel.id
from channel_member as place
join channel on channel.id = place.channel_id
where place.app_id = $1 and place.user_id = $2 and channel.workspace_id = $3 and channel.deleted_at is null
limit 1
"""

_FORGET_LEAVER = "delete from workspace_leaver where workspace_id = $1 and user_id = $2"
