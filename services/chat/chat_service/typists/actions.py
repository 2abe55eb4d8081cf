"""Use cases of typing: say that a user types in a channel, or does not any more. Nothing is written."""

from __future__ import annotations

from datetime import datetime

from chat_service.errors import ChannelNotFound
from chat_service.events.log import Cause
from chat_service.messages.store import fetch_standing
from chat_service.moderation.restraint_store import fetch_restraint
from chat_service.resources import Resources
from chat_service.typists import store
from chat_service.typists.rules import Place, require_typing
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_runtime.postgres import Connection, reading


class TypingState(WireModel):
    """What others are told now; `expires_at` is null for who does not type."""

    channel_id: ChannelId
    user_id: UserId
    typing: bool
    expires_at: Timestamp | None


async def say_typing(
    resources: Resources,
    cause: Cause,
    channel_id: ChannelId,
    user_id: UserId,
    *,
    is_typing: bool,
    socket_id: str | None = None,
) -> TypingState:
    """Tell the channel, unless it knows already: then nothing is read and nothing is told.

    Raises:
        ChannelNotFound, NotAMember, TypingOff, ChannelFrozen, Banned: why not.
    """
    typists = resources.typists
    known = typists.is_told(channel_id, user_id, is_typing=is_typing, now=cause.now)
    if known is not None:
        return _state(channel_id, user_id, known.until if is_typing else None)
    async with reading(resources.pool) as connection:
        is_wanted = await _may_tell(connection, cause, channel_id, user_id)
    if not is_wanted:
        # Who is blocked, or not to be heard, is not told so.
        return _state(channel_id, user_id, None)
    if not is_typing:
        typists.stop(cause, channel_id, user_id)
        return _state(channel_id, user_id, None)
    return _state(channel_id, user_id, typists.start(cause, channel_id, user_id, socket_id).until)


async def _may_tell(connection: Connection, cause: Cause, channel_id: ChannelId, user_id: UserId) -> bool:
    standing = await fetch_standing(connection, cause.app_id, channel_id, user_id)
    if standing is None:
        raise ChannelNotFound
    place = Place(
        channel_id,
        standing.channel_type,
        standing.role,
        standing.hidden,
        standing.frozen,
        standing.config.typing_events,
    )
    require_typing(place)
    restraint = await fetch_restraint(connection, cause.app_id, channel_id, user_id)
    if restraint.is_banned and restraint.refusal is not None:
        raise restraint.refusal
    if restraint.is_shadowed:
        return False
    return not await store.is_unwanted(connection, cause.app_id, channel_id, user_id)


def _state(channel_id: ChannelId, user_id: UserId, until: datetime | None) -> TypingState:
    return TypingState(channel_id=channel_id, user_id=user_id, typing=until is not None, expires_at=until)
