"""SQL of workspaces and their members. The row lock of a workspace orders all changes in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson

from chatsdk_contracts.ids import AppId, UserId, WorkspaceId
from chatsdk_contracts.workspaces import Workspace, WorkspaceMember, WorkspaceRole
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def insert_workspace(tx: Transaction, app_id: AppId, workspace: Workspace) -> None:
    """A new workspace."""
    await tx.execute(
        _INSERT,
        UUID(workspace.id),
        UUID(app_id),
        workspace.type,
        workspace.name,
        workspace.image,
        orjson.dumps(workspace.config).decode(),
        workspace.member_count,
        workspace.version,
        workspace.created_by,
        workspace.expires_at,
        workspace.created_at,
    )


async def lock_workspace(tx: Transaction, app_id: AppId, workspace_id: WorkspaceId) -> Workspace | None:
    """The workspace as last committed, locked until the end of the transaction."""
    row = await tx.fetchrow(_LOCK, UUID(app_id), UUID(workspace_id))
    return None if row is None else workspace_of(row)


async def fetch_workspace(
    connection: Connection, app_id: AppId, workspace_id: WorkspaceId
) -> Workspace | None:
    """One workspace."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), UUID(workspace_id))
    return None if row is None else workspace_of(row)


async def update_workspace(tx: Transaction, workspace: Workspace) -> None:
    """Write a locked workspace's fields, member count, version and end."""
    await tx.execute(
        _UPDATE,
        UUID(workspace.id),
        workspace.type,
        workspace.name,
        workspace.image,
        orjson.dumps(workspace.config).decode(),
        workspace.expires_at,
        workspace.member_count,
        workspace.version,
        workspace.updated_at,
        workspace.deleted_at,
    )


async def count_channels(tx: Transaction, workspace_id: WorkspaceId, by: int) -> None:
    """Move the number of the workspace's channels, in the transaction that makes or deletes one."""
    await tx.execute(_COUNT_CHANNELS, UUID(workspace_id), by)


async def list_workspaces(
    connection: Connection, app_id: AppId, user_id: UserId | None, *, before: UUID | None, limit: int
) -> Sequence[tuple[Workspace, WorkspaceRole | None]]:
    """A user's workspaces with the role in each, or all of the app's; newest first."""
    if user_id is None:
        rows = await connection.fetch(_LIST, UUID(app_id), before, limit)
    else:
        rows = await connection.fetch(_LIST_OF, UUID(app_id), user_id, before, limit)
    return [(workspace_of(row), row["role"]) for row in rows]


async def insert_members(tx: Transaction, app_id: AppId, members: Sequence[WorkspaceMember]) -> None:
    """New members of one workspace, joined at the same time; who was leaving stays in the channels."""
    await tx.execute(
        _INSERT_MEMBERS,
        UUID(members[0].workspace_id),
        UUID(app_id),
        [member.user_id for member in members],
        [member.role for member in members],
        members[0].joined_at,
    )


async def delete_member(
    tx: Transaction, app_id: AppId, member: WorkspaceMember, *, actor_id: UserId | None, now: datetime
) -> None:
    """Take a member out, and note that the workspace's channels are to follow."""
    await tx.execute(_DELETE_MEMBER, UUID(member.workspace_id), member.user_id, UUID(app_id), actor_id, now)


async def update_role(
    tx: Transaction, workspace_id: WorkspaceId, user_id: UserId, role: WorkspaceRole
) -> None:
    """Give a member another role."""
    await tx.execute(_UPDATE_ROLE, UUID(workspace_id), user_id, role)


async def fetch_role(
    connection: Connection, workspace_id: WorkspaceId, user_id: UserId
) -> WorkspaceRole | None:
    """The user's role in the workspace; None when not in it."""
    role: WorkspaceRole | None = await connection.fetchval(_FETCH_ROLE, UUID(workspace_id), user_id)
    return role


async def hold_members(
    tx: Transaction, app_id: AppId, workspace_id: WorkspaceId, user_ids: Sequence[UserId]
) -> frozenset[UserId]:
    """Which of these are in the workspace, and stay in it until the end of the transaction."""
    rows = await tx.fetch(_HOLD_MEMBERS, UUID(workspace_id), list(user_ids), UUID(app_id))
    return frozenset(row["user_id"] for row in rows)


async def fetch_members(
    connection: Connection, workspace_id: WorkspaceId, user_ids: Sequence[UserId]
) -> Sequence[WorkspaceMember]:
    """Those of these users who are in the workspace."""
    rows = await connection.fetch(_FETCH_MEMBERS, UUID(workspace_id), list(user_ids))
    return [_member(row) for row in rows]


async def list_members(
    connection: Connection, workspace_id: WorkspaceId, *, after: str, limit: int
) -> Sequence[WorkspaceMember]:
    """Members by user id, those after one."""
    rows = await connection.fetch(_LIST_MEMBERS, UUID(workspace_id), after, limit)
    return [_member(row) for row in rows]


async def count_owners(connection: Connection, workspace_id: WorkspaceId) -> int:
    """How many owners the workspace has."""
    return int(await connection.fetchval(_COUNT_OWNERS, UUID(workspace_id)))


def workspace_of(row: Row) -> Workspace:
    """A row as its members see it."""
    return Workspace(
        id=WorkspaceId(str(row["id"])),
        type=row["type"],
        name=row["name"],
        image=row["image"],
        config=orjson.loads(row["config"]),
        member_count=row["member_count"],
        channel_count=row["channel_count"],
        version=row["version"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _member(row: Row) -> WorkspaceMember:
    return WorkspaceMember(
        workspace_id=WorkspaceId(str(row["workspace_id"])),
        user_id=row["user_id"],
        role=row["role"],
        joined_at=row["joined_at"],
    )


_INSERT = """
insert into workspace (
  id, app_id, type, name, image, config, member_count, version, created_by, expires_at, created_at, updated_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
"""

_LOCK = """
select *
from workspace
where app_id = $1 and id = $2 and deleted_at is null
for no key update
"""

_FETCH = """
select *
from workspace
where app_id = $1 and id = $2 and deleted_at is null
"""

_UPDATE = """
update workspace
set type = $2, name = $3, image = $4, config = $5, expires_at = $6, member_count = $7, version = $8,
  updated_at = $9, deleted_at = $10
where id = $1
"""

_COUNT_CHANNELS = "update workspace set channel_count = channel_count + $2 where id = $1"

_LIST = """
select workspace.*, null as role
from workspace
where app_id = $1 and deleted_at is null and ($2::uuid is null or id < $2)
order by id desc
limit $3
"""

_LIST_OF = """
select workspace.*, place.role
from workspace_member as place
join workspace on workspace.id = place.workspace_id
where place.app_id = $1 and place.user_id = $2 and workspace.deleted_at is null
  and ($3::uuid is null or place.workspace_id < $3)
order by place.workspace_id desc
limit $4
"""

_INSERT_MEMBERS = """
with staying as (
  delete from workspace_leaver where workspace_id = $1 and user_id = any($3::text[])
)
insert into workspace_member (workspace_id, app_id, user_id, role, joined_at)
select $1, $2, user_id, role, $5
from unnest($3::text[], $4::text[]) as joining (user_id, role)
"""

_DELETE_MEMBER = """
with taken_out as (
  delete from workspace_member where workspace_id = $1 and user_id = $2
)
insert into workspace_leaver (workspace_id, user_id, app_id, actor_id, left_at)
values ($1, $2, $3, $4, $5)
on conflict (workspace_id, user_id) do update set actor_id = excluded.actor_id, left_at = excluded.left_at
"""

_UPDATE_ROLE = """
update workspace_member
set role = $3
where workspace_id = $1 and user_id = $2
"""

_FETCH_ROLE = """
select role
from workspace_member
where workspace_id = $1 and user_id = $2
"""

_HOLD_MEMBERS = """
select user_id
from workspace_member
where workspace_id = $1 and user_id = any($2::text[]) and app_id = $3
order by user_id
for key share
"""

_FETCH_MEMBERS = """
select workspace_id, user_id, role, joined_at
from workspace_member
where workspace_id = $1 and user_id = any($2::text[])
"""

_LIST_MEMBERS = """
select workspace_id, user_id, role, joined_at
from workspace_member
where workspace_id = $1 and user_id > $2
order by user_id
limit $3
"""

_COUNT_OWNERS = """
select count(*)
from workspace_member
where workspace_id = $1 and role = 'owner'
"""
