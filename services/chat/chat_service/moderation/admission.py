"""The one question that every road which writes asks, but for sends and reactions: these read its answer with their facts."""

from __future__ import annotations

from chat_service.moderation.restraint_store import fetch_restraint
from chat_service.moderation.restraints import FREE, Restraint
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection


async def require_free(
    connection: Connection, app_id: AppId, channel_id: ChannelId | None, user_id: UserId | None
) -> Restraint:
    """See that a user may write in a channel, or (None) anywhere in the app; what is left keeps quiet about itself.

    Asked behind the lock of the channel, and behind every question whether the user may know of it.

    Raises:
        Banned: for now, or for good.
        BlockedByOther: the other one of a direct channel does not want to hear from this user.
    """
    if user_id is None:
        return FREE
    restraint = await fetch_restraint(connection, app_id, channel_id, user_id)
    if restraint.refusal is not None:
        raise restraint.refusal
    return restraint
