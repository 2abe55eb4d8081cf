"""HTTP in: say that one types. Sockets have a frame for the same."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import TypingWriter
from chat_service.doors import acting_user, cause_of, require_channel_id, resources_of, utc_now
from chat_service.typists import actions
from chat_service.wire_input import InputUserId, RequestModel
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels", tags=["presence"])


class SayTyping(RequestModel):
    """Whether the user types now; `userId` says for whom an app's server speaks."""

    typing: bool
    user_id: InputUserId | None = None


@router.post("/{channel_id}/typing")
async def say_typing(request: Request, channel_id: str, body: SayTyping, caller: TypingWriter) -> Response:
    """Tell the members; say it again every few seconds while it is so. It ends by itself, and with a message."""
    user_id = acting_user(caller, body.user_id)
    state = await actions.say_typing(
        resources_of(request),
        cause_of(request, caller.app_id, user_id, utc_now()),
        require_channel_id(channel_id),
        user_id,
        is_typing=body.typing,
    )
    return RawJson(data_json(state))
