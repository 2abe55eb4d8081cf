"""What a request about one message asks for, as its use cases take it."""

from __future__ import annotations

from fastapi import Request

from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, require_channel_id, require_message_id, utc_now
from chat_service.messages.actions import Change


def change_of(
    request: Request, caller: Principal, channel_id: str, message_id: str, base_version: int | None = None
) -> Change:
    """The change to the message that a path names.

    Raises:
        NotFound: no channel or message can have such an id.
    """
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    return Change(caller, require_channel_id(channel_id), require_message_id(message_id), base_version, cause)
