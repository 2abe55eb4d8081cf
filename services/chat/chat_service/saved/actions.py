"""Use cases of saved messages: private to the user, so that no event tells of them."""

from __future__ import annotations

from datetime import datetime

import orjson

from chat_service.auth.principal import Principal
from chat_service.errors import MessageIsDeleted
from chat_service.messages import views
from chat_service.messages.actions import require_message
from chat_service.messages.store import message_of
from chat_service.paging import Page, encode_cursor
from chat_service.saved import store
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.wire import Timestamp, WireModel, data_json, format_time
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Row, Transaction


class Saved(WireModel):
    """Whether and since when the user has saved a message."""

    message_id: MessageId
    channel_id: ChannelId
    saved_at: Timestamp | None


class SavedIn(WireModel):
    """Where a saved message stands."""

    id: ChannelId
    name: str | None


class SavedMessage(views.ViewedMessage):
    """A saved message, since when it is saved, and where it stands."""

    saved_at: Timestamp
    channel: SavedIn


class SavedPage(Page):
    """Saved messages, the newest first."""

    messages: list[SavedMessage]


async def save(
    tx: Transaction, caller: Principal, channel_id: ChannelId, message_id: MessageId, now: datetime
) -> Answer:
    """Save a message (201); one that is saved stays where it is in the list (200)."""
    user_id = _user(caller)
    await store.lock_user(tx, caller.app_id, user_id)
    message = await _readable(tx, caller, channel_id, message_id)
    saved_at = await store.saved_at(tx, caller.app_id, user_id, message_id)
    if saved_at is not None:
        return _answer(channel_id, message_id, saved_at)
    if message.deleted_at is not None:
        raise MessageIsDeleted
    await store.insert_saved(
        tx,
        caller.app_id,
        user_id,
        (channel_id, message_id),
        state_version=await store.next_state_version(tx, caller.app_id, user_id),
        now=now,
    )
    return _answer(channel_id, message_id, now, 201)


async def unsave(tx: Transaction, caller: Principal, channel_id: ChannelId, message_id: MessageId) -> Answer:
    """Forget a saved message; one that is not saved stays so."""
    user_id = _user(caller)
    await store.lock_user(tx, caller.app_id, user_id)
    await _readable(tx, caller, channel_id, message_id)
    if await store.saved_at(tx, caller.app_id, user_id, message_id) is not None:
        await store.next_state_version(tx, caller.app_id, user_id)
        await store.delete_saved(tx, caller.app_id, user_id, message_id)
    return _answer(channel_id, message_id, None)


async def list_saved(
    connection: Connection, caller: Principal, *, before: store.Position | None, limit: int
) -> Answer:
    """What the user saved, the newest first: of channels that they are in, and not deleted."""
    rows = await store.list_saved(connection, caller.app_id, _user(caller), before=before, limit=limit + 1)
    page, more = rows[:limit], len(rows) > limit
    # Saving was a choice of its own: blocking the author later hides none of it.
    messages = await views.shown(connection, caller, [message_of(row) for row in page], hides=False)
    cursor = encode_cursor(format_time(page[-1]["saved_at"]), str(page[-1]["id"])) if more else None
    listed = b",".join(_with_place(message, row) for message, row in zip(messages, page, strict=True))
    return Answer(
        b'{"messages":[%b],%b' % (listed, orjson.dumps({"nextCursor": cursor, "hasMore": more})[1:])
    )


async def _readable(
    tx: Transaction, caller: Principal, channel_id: ChannelId, message_id: MessageId
) -> Message:
    message, _ = await require_message(tx, caller, channel_id, message_id)
    return message


def _user(caller: Principal) -> UserId:
    assert caller.user_id is not None, "the route is for users"
    return caller.user_id


def _answer(
    channel_id: ChannelId, message_id: MessageId, saved_at: datetime | None, status_code: int = 200
) -> Answer:
    saved = Saved(message_id=message_id, channel_id=channel_id, saved_at=saved_at)
    return Answer(data_json(saved), status_code)


def _with_place(message: bytes, row: Row) -> bytes:
    place = SavedIn(id=ChannelId(str(row["channel_id"])), name=row["channel_name"])
    saved_at = orjson.dumps(format_time(row["saved_at"]))
    return b'%b,"savedAt":%b,"channel":%b}' % (message[:-1], saved_at, data_json(place))
