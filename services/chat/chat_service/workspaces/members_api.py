"""HTTP in: /api/workspaces/{id}/members."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChatReader, WorkspaceManager
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.errors import MemberNotFound
from chat_service.paging import Cursor, Limit, decode_cursor
from chat_service.wire_input import user_id_in_path, workspace_id_in_path
from chat_service.workspaces import membership
from chat_service.workspaces.requests import AddMembers, ChangeRole
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/workspaces/{workspace_id}/members", tags=["workspaces"])


@router.get("")
async def list_members(
    request: Request, workspace_id: str, caller: ChatReader, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The workspace's members by user id."""
    position = decode_cursor(cursor, 1)
    wanted = workspace_id_in_path(workspace_id)
    async with reading(resources_of(request).pool) as connection:
        page = await membership.list_members(
            connection,
            caller.app_id,
            wanted,
            caller.user_id,
            after=position[0] if position else "",
            limit=limit,
        )
    return RawJson(data_json(page))


@router.post("")
async def add_members(
    request: Request, workspace_id: str, body: AddMembers, caller: WorkspaceManager
) -> Response:
    """Add users; who is in the workspace already stays as is."""
    wanted = workspace_id_in_path(workspace_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        added = await membership.add_members(tx, cause, wanted, caller.user_id, body.user_ids, body.role)
        return Answer(data_json(added))

    return await mutate(request, caller.scope, effect)


# A user id may hold a slash.
@router.patch("/{user_id:path}")
async def change_role(
    request: Request, workspace_id: str, user_id: str, body: ChangeRole, caller: WorkspaceManager
) -> Response:
    """Give a member another role."""
    wanted, target = workspace_id_in_path(workspace_id), _target(user_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        member = await membership.change_role(tx, cause, wanted, caller.user_id, target, body.role)
        return Answer(data_json(member))

    return await mutate(request, caller.scope, effect)


@router.delete("/{user_id:path}")
async def remove_member(
    request: Request, workspace_id: str, user_id: str, caller: WorkspaceManager
) -> Response:
    """Put a member out, or leave oneself."""
    wanted, target = workspace_id_in_path(workspace_id), _target(user_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await membership.remove(tx, cause, wanted, caller.user_id, target)))

    return await mutate(request, caller.scope, effect)


def _target(text: str) -> UserId:
    user_id = user_id_in_path(text)
    if user_id is None:
        raise MemberNotFound(text, "workspace")
    return user_id
