"""Use case: what a message said before its edits, for those who may know."""

from __future__ import annotations

from chat_service.auth.principal import Principal
from chat_service.errors import RoleTooLow
from chat_service.messages import detail_store, rights
from chat_service.messages.actions import require_message
from chat_service.paging import Page, encode_cursor
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_runtime.postgres import Connection


class EarlierText(WireModel):
    """The text that a message had at `version`, and when and by whom (null: the app's server) it was replaced."""

    version: int
    text: str
    edited_at: Timestamp
    edited_by: UserId | None


class HistoryPage(Page):
    """A page of earlier texts."""

    history: list[EarlierText]


async def list_history(
    connection: Connection,
    caller: Principal,
    channel_id: ChannelId,
    message_id: MessageId,
    *,
    after: int,
    limit: int,
) -> HistoryPage:
    """Earlier texts by version, those behind one."""
    message, standing = await require_message(connection, caller, channel_id, message_id)
    if not rights.may_read_history(message, caller.user_id, standing.role):
        raise RoleTooLow("Only its author and moderators may see what a message said before.")
    rows = await detail_store.list_history(connection, message_id, after=after, limit=limit + 1)
    page = [
        EarlierText(
            version=row["version"],
            text=row["text"],
            edited_at=row["edited_at"],
            edited_by=row["edited_by"],
        )
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    return HistoryPage(
        history=page, next_cursor=encode_cursor(str(page[-1].version)) if more else None, has_more=more
    )
