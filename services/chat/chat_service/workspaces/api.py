"""HTTP in: /api/workspaces."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChatReader, WorkspaceManager
from chat_service.auth.principal import Principal
from chat_service.channels import listing
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.paging import Cursor, Limit, broken_cursor, decode_cursor
from chat_service.wire_input import user_id_in_path, workspace_id_in_path
from chat_service.workspaces import actions
from chat_service.workspaces.access import find_member
from chat_service.workspaces.requests import CreateWorkspace, UpdateWorkspace
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Forbidden, invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/workspaces", tags=["workspaces"])


@router.post("", status_code=201)
async def create_workspace(request: Request, body: CreateWorkspace, caller: WorkspaceManager) -> Response:
    """Make a workspace; who makes it is its owner."""
    creator = _creator(caller, body.created_by_id)
    cause = cause_of(request, caller.app_id, creator, utc_now())
    fields = body.model_dump(exclude_unset=True, by_alias=False)
    new = actions.NewWorkspace(creator, "createdById", fields)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.create_workspace(tx, cause, new)), 201)

    return await mutate(request, caller.scope, effect)


def _creator(caller: Principal, created_by_id: UserId | None) -> UserId:
    if caller.user_id is not None:
        if created_by_id not in {None, caller.user_id}:
            raise Forbidden(
                "A user makes workspaces in their own name.",
                hint="Leave createdById out, or use the API key.",
            )
        return caller.user_id
    if created_by_id is None:
        raise invalid_field("createdById", "missing", "required with an API key")
    return created_by_id


@router.get("")
async def list_workspaces(
    request: Request,
    caller: ChatReader,
    cursor: Cursor = None,
    limit: Limit = 50,
    userId: str | None = None,  # noqa: N803  # the name in the query
) -> Response:
    """The caller's workspaces, newest first; for a server all of the app's, or those of `userId`."""
    user_id = caller.user_id
    if user_id is None and userId is not None:
        user_id = user_id_in_path(userId)
        if user_id is None:
            raise invalid_field("userId", "invalid", "no user has such an id")
    elif userId not in {None, user_id}:
        raise Forbidden("A user lists their own workspaces.", hint="Leave userId out, or use the API key.")
    before = _position(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_workspaces(connection, caller.app_id, user_id, before=before, limit=limit)
    return RawJson(data_json(page))


def _position(cursor: str | None) -> UUID | None:
    position = decode_cursor(cursor, 1)
    if position is None:
        return None
    try:
        return UUID(position[0])
    except ValueError:
        raise broken_cursor() from None


@router.get("/{workspace_id}")
async def get_workspace(request: Request, workspace_id: str, caller: ChatReader) -> Response:
    """A workspace that the caller is in."""
    wanted = workspace_id_in_path(workspace_id)
    async with reading(resources_of(request).pool) as connection:
        workspace = await actions.get_workspace(connection, caller.app_id, wanted, caller.user_id)
    return RawJson(data_json(workspace))


@router.put("/{workspace_id}")
@router.patch("/{workspace_id}")
async def update_workspace(
    request: Request, workspace_id: str, body: UpdateWorkspace, caller: WorkspaceManager
) -> Response:
    """Change the fields that are given: the workspace's owners and admins, and the app's servers."""
    wanted = workspace_id_in_path(workspace_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    given = body.model_dump(exclude_unset=True, by_alias=False)

    async def effect(tx: Transaction) -> Answer:
        changed = await actions.update_workspace(tx, cause, wanted, caller.user_id, given)
        return Answer(data_json(changed))

    return await mutate(request, caller.scope, effect)


@router.delete("/{workspace_id}")
async def delete_workspace(request: Request, workspace_id: str, caller: WorkspaceManager) -> Response:
    """Delete a workspace with its channels: its owners, and the app's servers."""
    wanted = workspace_id_in_path(workspace_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.delete_workspace(tx, cause, wanted, caller.user_id)))

    return await mutate(request, caller.scope, effect)


@router.get("/{workspace_id}/channels")
async def list_channels(
    request: Request, workspace_id: str, caller: ChatReader, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The workspace's channels that the caller is in or may join, newest first."""
    wanted = workspace_id_in_path(workspace_id)
    place = _position(cursor)
    async with reading(resources_of(request).pool) as connection:
        workspace, _ = await find_member(connection, caller.app_id, wanted, caller.user_id)
        page = await listing.list_of_workspace(
            connection,
            caller.app_id,
            workspace.id,
            caller.user_id,
            before=place,
            window=(utc_now(), limit),
        )
    return RawJson(data_json(page))
