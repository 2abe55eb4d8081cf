"""Use cases of legal holds, one transaction each."""

from __future__ import annotations

from datetime import datetime

from chat_service.channels.store import lock_channel
from chat_service.errors import ChannelNotFound, UserNotFound
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


async def hold_channel(
    tx: Transaction, app_id: AppId, channel_id: ChannelId, reason: str | None, now: datetime
) -> Hold:
    """Hold a channel; one that is held stays so. Behind whoever deletes in it just now.

    Raises:
        ChannelNotFound: the app has no such channel.
    """
    if await lock_channel(tx, app_id, channel_id) is None:
        raise ChannelNotFound
    wanted = Hold(id=new_id(), channel_id=channel_id, reason=reason, created_at=now)
    return await store.insert(tx, app_id, wanted)


async def hold_user(
    tx: Transaction, app_id: AppId, user_id: UserId, reason: str | None, now: datetime
) -> Hold:
    """Hold all that a user wrote; one who is held stays so. Behind an erasure that is asked for just now.

    Raises:
        UserNotFound: the app has no such user.
    """
    if not await lock_users(tx, app_id, [user_id]):
        raise UserNotFound(user_id)
    wanted = Hold(id=new_id(), user_id=user_id, reason=reason, created_at=now)
    return await store.insert(tx, app_id, wanted)


async def release(tx: Transaction, app_id: AppId, hold_id: str | None, now: datetime) -> Hold:
    """End a hold; what waited for it goes on.

    Raises:
        HoldNotFound: the app has none in force by this id.
    """
    released = None if hold_id is None else await store.release(tx, app_id, hold_id, now)
    if released is None:
        raise HoldNotFound
    return released


async def list_holds(connection: Connection, app_id: AppId, *, after: str | None, limit: int) -> HoldPage:
    """Holds in force, in the order of their making."""
    found = await store.list_holds(connection, app_id, after=after or _FIRST, limit=limit + 1)
    page, more = list(found[:limit]), len(found) > limit
    return HoldPage(holds=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more)
