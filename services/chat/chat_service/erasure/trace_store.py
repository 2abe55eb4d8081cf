"""SQL of the traces that a user leaves beside messages: places, lists, results of calls, invitations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from chat_service.users.rules import StoredUser
from chatsdk_contracts.ids import AppId, ChannelId, PollId, UploadId, UserId, WorkspaceId
from chatsdk_runtime.postgres import Connection, Transaction


async def write_erased_user(tx: Transaction, app_id: AppId, user: StoredUser) -> None:
    """Empty a locked user's row for good; their tokens are revoked."""
    await tx.execute(
        _WRITE_ERASED,
        UUID(app_id),
        user.id,
        user.deactivated_at,
        user.version,
        user.updated_at,
        user.erased_at,
    )


async def write_version(tx: Transaction, app_id: AppId, user: StoredUser) -> None:
    """Write a locked user's version."""
    await tx.execute(
        "update app_user set version = $3 where app_id = $1 and id = $2",
        UUID(app_id),
        user.id,
        user.version,
    )


async def erase_invites(tx: Transaction, app_id: AppId, user_id: UserId, email: str | None) -> int:
    """Delete invitations to the user, by id or address, and those that the user wrote; returns how many."""
    return len(await tx.fetch(_ERASE_INVITES, UUID(app_id), user_id, email))


async def next_vote(connection: Connection, app_id: AppId, user_id: UserId) -> PollId | None:
    """A poll in which the user voted."""
    found = await connection.fetchval(_NEXT_VOTE, UUID(app_id), user_id)
    return None if found is None else PollId(str(found))


async def channel_of_poll(connection: Connection, poll_id: PollId) -> ChannelId | None:
    """Which channel a poll is in; None when it is gone."""
    found = await connection.fetchval("select channel_id from poll where id = $1", UUID(poll_id))
    return None if found is None else ChannelId(str(found))


async def delete_vote(tx: Transaction, poll_id: PollId, user_id: UserId) -> None:
    """Forget who voted, and leave the counts as they are."""
    await tx.execute("delete from poll_vote where poll_id = $1 and user_id = $2", UUID(poll_id), user_id)


async def next_membership(connection: Connection, app_id: AppId, user_id: UserId) -> ChannelId | None:
    """A channel that the user is in, perhaps a deleted one."""
    found = await connection.fetchval(_NEXT_MEMBERSHIP, UUID(app_id), user_id)
    return None if found is None else ChannelId(str(found))


async def delete_membership(tx: Transaction, channel_id: ChannelId, user_id: UserId) -> None:
    """Forget who was in a channel that is gone."""
    await tx.execute(
        "delete from channel_member where channel_id = $1 and user_id = $2", UUID(channel_id), user_id
    )


async def heir_of_channel(connection: Connection, channel_id: ChannelId, user_id: UserId) -> UserId | None:
    """Who runs a channel after its last owner: the highest role, then the longest in it. None: another owner is left."""
    heir: UserId | None = await connection.fetchval(_HEIR_OF_CHANNEL, UUID(channel_id), user_id)
    return heir


async def empty_channel(tx: Transaction, channel_id: ChannelId) -> None:
    """Take their names from a deleted channel."""
    await tx.execute(_EMPTY_CHANNEL, UUID(channel_id))


async def next_workspace(connection: Connection, app_id: AppId, user_id: UserId) -> WorkspaceId | None:
    """A workspace that the user is in."""
    found = await connection.fetchval(_NEXT_WORKSPACE, UUID(app_id), user_id)
    return None if found is None else WorkspaceId(str(found))


async def delete_workspace_membership(tx: Transaction, workspace_id: WorkspaceId, user_id: UserId) -> None:
    """Forget who was in a workspace that is gone."""
    await tx.execute(
        "delete from workspace_member where workspace_id = $1 and user_id = $2", UUID(workspace_id), user_id
    )


async def heir_of_workspace(
    connection: Connection, workspace_id: WorkspaceId, user_id: UserId
) -> UserId | None:
    """Who runs a workspace after its last owner, likewise."""
    heir: UserId | None = await connection.fetchval(_HEIR_OF_WORKSPACE, UUID(workspace_id), user_id)
    return heir


async def empty_deleted_workspaces(tx: Transaction, app_id: AppId, user_id: UserId) -> int:
    """Take their names from deleted workspaces that the user made; returns of how many."""
    return len(await tx.fetch(_EMPTY_WORKSPACES, UUID(app_id), user_id))


async def uploads_of(
    connection: Connection, app_id: AppId, user_id: UserId, *, after: str, unlinked_only: bool, limit: int
) -> list[UploadId]:
    """Files of the user by id, those behind one; with `unlinked_only` those that no message shows."""
    rows = await connection.fetch(_UPLOADS_OF, UUID(app_id), user_id, UUID(after), unlinked_only, limit)
    return [UploadId(str(row["id"])) for row in rows]


async def mark_upload(tx: Transaction, upload_id: UploadId) -> None:
    """From here on the file is not found, and nothing says what it was called."""
    await tx.execute(_MARK_UPLOAD, UUID(upload_id))


async def erase_traces(tx: Transaction, app_id: AppId, user_id: UserId, *, limit: int) -> Mapping[str, int]:
    """Delete what is left of the user, at most so many rows of each kind; returns how many by kind."""
    return {
        name: len(await tx.fetch(statement, UUID(app_id), user_id, limit))
        for name, statement in _TRACES.items()
    }


_WRITE_ERASED = """
update app_user
set name = null, image = null, email = null, custom = '{}', deactivated_at = $3, version = $4, updated_at = $5,
  erased_at = $6, tokens_valid_after = greatest(tokens_valid_after, $5)
where app_id = $1 and id = $2
"""

_ERASE_INVITES = """
delete from workspace_invite
where app_id = $1 and ($2 in (user_id, invited_by, accepted_by) or lower(email) = lower($3::text))
returning 1
"""

_NEXT_VOTE = "select poll_id from poll_vote where app_id = $1 and user_id = $2 limit 1"

_NEXT_MEMBERSHIP = """
select channel_id
from channel_member
where app_id = $1 and user_id = $2
order by channel_id
limit 1
"""

_HEIR_OF_CHANNEL = """
select user_id
from channel_member
where channel_id = $1 and user_id <> $2
  and not exists (
    select from channel_member other where other.channel_id = $1 and other.user_id <> $2 and other.role = 'owner'
  )
order by array_position(array['admin', 'moderator', 'member'], role), joined_at, user_id
limit 1
"""

_EMPTY_CHANNEL = (
    "update channel set name = null, description = null, image = null, custom = '{}' where id = $1"
)

_NEXT_WORKSPACE = "select workspace_id from workspace_member where app_id = $1 and user_id = $2 limit 1"

_HEIR_OF_WORKSPACE = """
select user_id
from workspace_member
where workspace_id = $1 and user_id <> $2
  and not exists (
    select from workspace_member other
    where other.workspace_id = $1 and other.user_id <> $2 and other.role = 'owner'
  )
order by array_position(array['admin', 'member'], role), joined_at, user_id
limit 1
"""

_EMPTY_WORKSPACES = """
update workspace
set name = '', image = null, config = '{}'
where app_id = $1 and created_by = $2 and deleted_at is not null
  and (name <> '' or image is not null or config <> '{}')
returning id
"""

_UPLOADS_OF = """
select id
from upload
where app_id = $1 and user_id = $2 and id > $3
  and (not $4 or not exists (select from upload_link where upload_link.upload_id = upload.id))
order by id
limit $5
"""

_MARK_UPLOAD = """
update upload
set state = 'removing', filename = 'file', content_type = 'application/octet-stream'
where id = $1
"""

_TRACES: Final[Mapping[str, str]] = {
    "saved": """
delete from saved_message
where ctid in (select ctid from saved_message where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "blocks": """
delete from user_block
where ctid in (select ctid from user_block where app_id = $1 and $2 in (user_id, blocked_id) limit $3)
returning 1
""",
    "mutes": """
delete from user_mute
where ctid in (select ctid from user_mute where app_id = $1 and $2 in (user_id, muted_id) limit $3)
returning 1
""",
    "bans": """
delete from ban
where ctid in (select ctid from ban where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "reports": """
delete from message_report
where ctid in (select ctid from message_report where app_id = $1 and $2 in (reporter_id, author_id) limit $3)
returning 1
""",
    "departures": """
delete from departure
where ctid in (select ctid from departure where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "operations": """
delete from op_result
where ctid in (select ctid from op_result where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "op_lanes": """
delete from op_lane
where ctid in (select ctid from op_lane where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "pre_tombstones": """
delete from pre_tombstone
where ctid in (select ctid from pre_tombstone where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "idempotency": """
delete from idempotency_key
where ctid in (select ctid from idempotency_key where scope = $1::uuid::text || '/user/' || $2 limit $3)
returning 1
""",
    # Who is named in a message of others is so no longer.
    "mentions": """
with gone as (
  delete from mention
  where ctid in (select ctid from mention where app_id = $1 and user_id = $2 limit $3)
  returning message_id
), unnamed as (
  update message
  set mentions = array_remove(mentions, $2)
  from gone
  where message.id = gone.message_id
)
select 1 from gone
""",
    "verdicts": """
delete from screening_verdict
where ctid in (select ctid from screening_verdict where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "mentions_read": """
delete from mention_read
where ctid in (select ctid from mention_read where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    # What the user wrote into others' messages is theirs; what the user's client called it may be anything.
    "collaboration": """
with renamed as (
  update collab_op
  set client_op_id = 'erased-' || version
  where ctid in (
    select ctid from collab_op
    where app_id = $1 and user_id = $2 and client_op_id <> 'erased-' || version
    limit $3
  )
  returning 1
)
select 1 from renamed
""",
    # Where replies stay, their author counts among the participants.
    "threads": """
delete from thread_place
where ctid in (
  select ctid from thread_place where app_id = $1 and user_id = $2 and reply_count <= 0 limit $3
)
returning 1
""",
    "presence": """
delete from user_presence
where ctid in (select ctid from user_presence where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
    "leaving": """
delete from workspace_leaver
where ctid in (select ctid from workspace_leaver where app_id = $1 and user_id = $2 limit $3)
returning 1
""",
}
