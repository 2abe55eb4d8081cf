"""HTTP in: invitations. Looking at one changes nothing; accepting is a POST."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import ChatReader, WorkspaceManager, WritingUser
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.wire_input import uuid_in_path, workspace_id_in_path
from chat_service.workspaces import invitations
from chat_service.workspaces.requests import Invite
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/workspaces", tags=["workspaces"])


@router.post("/{workspace_id}/invites", status_code=201)
async def invite(request: Request, workspace_id: str, body: Invite, caller: WorkspaceManager) -> Response:
    """Invite addresses or users for seven days; each token is in this reply and nowhere else."""
    wanted = workspace_id_in_path(workspace_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    invitation = invitations.Invitation(body.emails or (), body.user_ids or (), body.role, body.message)

    async def effect(tx: Transaction) -> Answer:
        sent = await invitations.invite(tx, cause, wanted, caller.user_id, invitation)
        return Answer(data_json(sent), 201)

    return await mutate(request, caller.scope, effect)


@router.delete("/{workspace_id}/invites/{invite_id}")
async def revoke_invite(
    request: Request, workspace_id: str, invite_id: str, caller: WorkspaceManager
) -> Response:
    """Withdraw an invitation that nobody has accepted."""
    wanted, invited = workspace_id_in_path(workspace_id), uuid_in_path(invite_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await invitations.revoke(tx, cause, wanted, caller.user_id, invited)))

    return await mutate(request, caller.scope, effect)


@router.get("/invites/{token}")
async def show_invite(request: Request, token: str, caller: ChatReader) -> Response:
    """What an invitation is to, and whether it can still be accepted."""
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    async with reading(resources_of(request).pool) as connection:
        shown = await invitations.show(connection, cause, token, caller.user_id)
    return RawJson(data_json(shown))


@router.post("/invites/{token}/accept", status_code=201)
async def accept_invite(request: Request, token: str, caller: WritingUser) -> Response:
    """Come into the workspace: 201, or 200 when already in it."""
    user_id = caller.user_id
    assert user_id is not None, "the route is for users"
    cause = cause_of(request, caller.app_id, user_id, utc_now())

    async def effect(tx: Transaction) -> Answer:
        member, is_new = await invitations.accept(tx, cause, token, user_id)
        return Answer(data_json(member), 201 if is_new else 200)

    return await mutate(request, caller.scope, effect)
