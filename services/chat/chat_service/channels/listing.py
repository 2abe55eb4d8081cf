"""Use cases that list channels: a user's own, a workspace's, and the open ones; pages by sort key and id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chat_service.channels import list_store
from chat_service.channels.list_store import Filters, Place, Sort
from chat_service.channels.views import ChannelPage, OpenChannelPage, ViewedChannel
from chat_service.messages.views import newest_seen
from chat_service.paging import broken_cursor, decode_cursor, encode_cursor, time_in_cursor
from chatsdk_contracts.ids import AppId, UserId, WorkspaceId
from chatsdk_runtime.postgres import Connection


async def list_channels(
    connection: Connection,
    app_id: AppId,
    user_id: UserId | None,
    filters: Filters,
    *,
    sort: Sort,
    cursor: str | None,
    window: tuple[datetime, int],
) -> ChannelPage:
    """A user's channels, or all of the app's (`user_id` None); `window`: the present time, and the page's size.

    Raises:
        BadRequest: the cursor is none of a list in this order.
    """
    now, limit = window
    found = await list_store.list_channels(
        connection,
        app_id,
        user_id,
        filters,
        sort=sort,
        behind=_place(sort, cursor),
        window=(now, limit + 1),
    )
    page, more = found[:limit], len(found) > limit
    channels = await _with_last_messages(connection, app_id, user_id, [one.channel for one in page])
    after = encode_cursor(sort, page[-1].key, page[-1].channel.id) if more else None
    return ChannelPage(channels=channels, next_cursor=after, has_more=more)


def _place(sort: Sort, cursor: str | None) -> Place | None:
    position = decode_cursor(cursor, 3)
    if position is None:
        return None
    key: datetime | str | int = position[1]
    try:
        if sort in {"lastMessageAt", "createdAt"}:
            key = time_in_cursor(position[1])
        elif sort == "unread":
            key = int(position[1])
            key = key if 0 <= key < 1 << 63 else _refuse()
        row_id = UUID(position[2])
    except ValueError:
        raise broken_cursor() from None
    if position[0] != sort:
        raise broken_cursor()
    return Place(key, row_id)


def _refuse() -> int:
    raise broken_cursor()


async def list_of_workspace(
    connection: Connection,
    app_id: AppId,
    workspace_id: WorkspaceId,
    user_id: UserId | None,
    *,
    before: UUID | None,
    window: tuple[datetime, int],
) -> ChannelPage:
    """A workspace's channels that its member is in or may join, newest first (`user_id` None: all)."""
    now, limit = window
    found = await list_store.list_of_workspace(
        connection, app_id, workspace_id, user_id, before=before, window=(now, limit + 1)
    )
    page, more = found[:limit], len(found) > limit
    readable = [one for one in page if user_id is None or one.role is not None]
    shown = {one.id: one for one in await _with_last_messages(connection, app_id, user_id, readable)}
    return ChannelPage(
        channels=[shown.get(one.id, one) for one in page],
        next_cursor=encode_cursor(page[-1].id) if more else None,
        has_more=more,
    )


async def discover(
    connection: Connection,
    app_id: AppId,
    user_id: UserId | None,
    filters: Filters,
    *,
    cursor: str | None,
    limit: int,
) -> OpenChannelPage:
    """Open channels by name that the user may join and is not in (`user_id` None: all open ones)."""
    position = decode_cursor(cursor, 2)
    try:
        behind = None if position is None else (position[0], UUID(position[1]))
    except ValueError:
        raise broken_cursor() from None
    found = await list_store.list_open(connection, app_id, user_id, filters, behind=behind, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    return OpenChannelPage(
        channels=[channel for channel, _ in page],
        next_cursor=encode_cursor(page[-1][1], page[-1][0].id) if more else None,
        has_more=more,
    )


async def _with_last_messages(
    connection: Connection, app_id: AppId, user_id: UserId | None, channels: Sequence[ViewedChannel]
) -> list[ViewedChannel]:
    floors = {one.id: one.truncated_seq for one in channels}
    newest = await newest_seen(connection, app_id, user_id, floors)
    return [one.model_copy(update={"last_message": newest.get(one.id)}) for one in channels]
