"""The two ways into a channel: find it to read, or lock it to write; and the refusal of unknown users."""

from __future__ import annotations

from collections.abc import Sequence

from chat_service.channels import member_store, rules, store
from chat_service.errors import ChannelNotFound
from chat_service.workspaces.store import fetch_role as fetch_workspace_role
from chat_service.workspaces.store import hold_members
from chatsdk_contracts.channels import Channel
from chatsdk_contracts.ids import AppId, ChannelId, UserId, WorkspaceId
from chatsdk_runtime.errors import FieldProblem, InvalidInput
from chatsdk_runtime.postgres import Connection, Transaction


async def find_visible(
    connection: Connection, app_id: AppId, channel_id: ChannelId | None, user_id: UserId | None
) -> Channel:
    """The channel, if the caller may see it.

    Raises:
        ChannelNotFound: there is none, or none for this caller.
        NotAMember: the caller may know of it, and is not in it.
    """
    found = None if channel_id is None else await store.fetch_channel(connection, app_id, channel_id)
    if found is None:
        raise ChannelNotFound
    role = None if user_id is None else await member_store.fetch_role(connection, found.channel.id, user_id)
    workspace_id = found.channel.workspace_id
    if user_id is not None and role is None and workspace_id is not None:
        inside = await fetch_workspace_role(connection, workspace_id, user_id)
        if inside is None:
            raise ChannelNotFound
    rules.require_sight(rules.Actor(user_id, role), found.channel)
    return found.channel


async def lock_for(
    tx: Transaction, app_id: AppId, channel_id: ChannelId | None, user_id: UserId | None
) -> tuple[store.StoredChannel, rules.Actor]:
    """The channel, locked, and who the caller is in it (`user_id` None: the app's server).

    The role is read after the lock, in a statement of its own: one that waited would decide on what was.
    """
    stored = None if channel_id is None else await store.lock_channel(tx, app_id, channel_id)
    if stored is None:
        raise ChannelNotFound
    role = None if user_id is None else await member_store.fetch_role(tx, stored.channel.id, user_id)
    workspace_id = stored.channel.workspace_id
    if user_id is None or role is not None or workspace_id is None:
        return stored, rules.Actor(user_id, role)
    # Held, so that nobody comes into a channel while being put out of its workspace.
    if not await hold_members(tx, app_id, workspace_id, [user_id]):
        raise ChannelNotFound
    return stored, rules.Actor(user_id, role)


async def refuse_outsiders(
    tx: Transaction, app_id: AppId, workspace_id: WorkspaceId | None, adding: Sequence[tuple[str, UserId]]
) -> None:
    """Raises InvalidInput with one problem for each user, by path, who is not in the channel's workspace."""
    if workspace_id is None:
        return
    inside = await hold_members(tx, app_id, workspace_id, [user_id for _, user_id in adding])
    problems = [
        FieldProblem(path, "not_in_workspace", f"user {user_id!r} is not in the channel's workspace")
        for path, user_id in adding
        if user_id not in inside
    ]
    if problems:
        raise InvalidInput(
            "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:3]),
            hint=f"Add users to the workspace first: POST /api/workspaces/{workspace_id}/members.",
            details=problems,
        )


def refuse_unknown(unknown: Sequence[tuple[str, UserId]]) -> None:
    """Raises InvalidInput with one problem for each unknown user, by path."""
    if not unknown:
        return
    problems = [
        FieldProblem(path, "unknown_user", f"user {user_id!r} does not exist") for path, user_id in unknown
    ]
    raise InvalidInput(
        "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:3]),
        hint="Create users first: POST /api/users/ensure.",
        details=problems,
    )
