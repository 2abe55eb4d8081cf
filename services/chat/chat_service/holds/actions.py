"""Use cases of legal holds, one transaction each."""

from __future__ import annotations

from chat_service.audit.actions import Target, note
from chat_service.channels.store import lock_channel
from chat_service.errors import ChannelNotFound, UserNotFound
from chat_service.events.log import Cause
from chat_service.holds import store
from chat_service.holds.errors import HoldNotFound
from chat_service.holds.rules import Hold
from chat_service.paging import Page, encode_cursor
from chat_service.users.store import lock_users
from chatsdk_contracts.ids import AppId, ChannelId, UserId, new_id
from chatsdk_runtime.postgres import Connection, Transaction

_FIRST = "00000000-0000-0000-0000-000000000000"


class HoldPage(Page):
    """A page of holds."""

    holds: list[Hold]


async def hold_channel(tx: Transaction, cause: Cause, channel_id: ChannelId, reason: str | None) -> Hold:
    """Hold a channel; one that is held stays so. Behind whoever deletes in it just now.

    Raises:
        ChannelNotFound: the app has no such channel.
    """
    if await lock_channel(tx, cause.app_id, channel_id) is None:
        raise ChannelNotFound
    return await _place(
        tx, cause, Hold(id=new_id(), channel_id=channel_id, reason=reason, created_at=cause.now)
    )


async def hold_user(tx: Transaction, cause: Cause, user_id: UserId, reason: str | None) -> Hold:
    """Hold all that a user wrote; one who is held stays so. Behind an erasure that is asked for just now.

    Raises:
        UserNotFound: the app has no such user.
    """
    if not await lock_users(tx, cause.app_id, [user_id]):
        raise UserNotFound(user_id)
    return await _place(tx, cause, Hold(id=new_id(), user_id=user_id, reason=reason, created_at=cause.now))


async def _place(tx: Transaction, cause: Cause, wanted: Hold) -> Hold:
    placed = await store.insert(tx, cause.app_id, wanted)
    if placed.id == wanted.id:
        await note(tx, cause, "hold.placed", _target(placed), {"holdId": placed.id})
    return placed


async def release(tx: Transaction, cause: Cause, hold_id: str | None) -> Hold:
    """End a hold; what waited for it goes on.

    Raises:
        HoldNotFound: the app has none in force by this id.
    """
    released = None if hold_id is None else await store.release(tx, cause.app_id, hold_id, cause.now)
    if released is None:
        raise HoldNotFound
    await note(tx, cause, "hold.released", _target(released), {"holdId": released.id})
    return released


def _target(hold: Hold) -> Target:
    if hold.channel_id is not None:
        return Target("channel", hold.channel_id, hold.channel_id)
    assert hold.user_id is not None, "a hold is of a channel or of a user"
    return Target("user", hold.user_id)


async def list_holds(connection: Connection, app_id: AppId, *, after: str | None, limit: int) -> HoldPage:
    """Holds in force, in the order of their making."""
    found = await store.list_holds(connection, app_id, after=after or _FIRST, limit=limit + 1)
    page, more = list(found[:limit]), len(found) > limit
    return HoldPage(holds=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more)
