"""The two ways into a workspace: find it to read, or lock it to write."""

from __future__ import annotations

from chat_service.errors import WorkspaceNotFound
from chat_service.moderation.admission import require_free
from chat_service.workspaces import rules, store
from chatsdk_contracts.ids import AppId, UserId, WorkspaceId
from chatsdk_contracts.workspaces import Workspace
from chatsdk_runtime.postgres import Connection, Transaction


async def find_member(
    connection: Connection, app_id: AppId, workspace_id: WorkspaceId | None, user_id: UserId | None
) -> tuple[Workspace, rules.Actor]:
    """The workspace, if the caller is in it (`user_id` None: the app's server).

    Raises:
        WorkspaceNotFound: there is none, or none for this caller.
    """
    found = None if workspace_id is None else await store.fetch_workspace(connection, app_id, workspace_id)
    if found is None:
        raise WorkspaceNotFound
    actor = rules.Actor(
        user_id, None if user_id is None else await store.fetch_role(connection, found.id, user_id)
    )
    rules.require_member(actor)
    return found, actor


async def lock_for(
    tx: Transaction,
    app_id: AppId,
    workspace_id: WorkspaceId | None,
    user_id: UserId | None,
    *,
    leaving: bool = False,
) -> tuple[Workspace, rules.Actor]:
    """The workspace, locked, and who the caller is in it; a member who is banned from the app may only leave.

    The role is read after the lock, in a statement of its own: one that waited would decide on what was.
    """
    found = None if workspace_id is None else await store.lock_workspace(tx, app_id, workspace_id)
    if found is None:
        raise WorkspaceNotFound
    role = None if user_id is None else await store.fetch_role(tx, found.id, user_id)
    if role is not None and not leaving:
        await require_free(tx, app_id, None, user_id)
    return found, rules.Actor(user_id, role)
