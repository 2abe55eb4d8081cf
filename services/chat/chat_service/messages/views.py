"""Messages as one reader sees them: with the reader's own reactions, with what a reply quotes, and of authors whom the
reader has blocked only where they stand.

All are read with the page, in a query each when anything on it needs them. They are never stored and in no event:
who else reacted is nobody's affair but the list's, and a quote has to follow what becomes of the quoted message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from pydantic import Field

from chat_service.auth.principal import Principal
from chat_service.messages import detail_store
from chat_service.messages.visible_store import last_messages
from chat_service.paging import Page
from chat_service.reactions.store import own_reactions
from chat_service.users.block_store import blocked_among
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.messages import HiddenMessage, Message, hidden
from chatsdk_contracts.wire import WireModel, data_json
from chatsdk_runtime.postgres import Connection

QUOTED_CODE_POINTS: Final = 200


class Quoted(WireModel):
    """The message that another replies to: its author and how it begins; nothing of what it said once deleted."""

    id: MessageId
    user_id: UserId
    text: str
    deleted: bool


class ViewedMessage(Message):
    """A message as one reader sees it; an app's server has no `own_reactions`."""

    quoted: Quoted | None = None
    own_reactions: list[str] = Field(default_factory=list)


class SentMessage(Message):
    """The message as it is stored. `duplicate`: it was stored before, under the same `client_msg_id`."""

    duplicate: bool


class MessagePage(Page):
    """A part of a timeline, ascending. Messages up to `truncated_seq` are shown no more."""

    messages: list[ViewedMessage | HiddenMessage]
    max_seq: int
    truncated_seq: int


class PinPage(Page):
    """All pinned messages, the newest pin first."""

    messages: list[ViewedMessage | HiddenMessage]


async def shown(
    connection: Connection, caller: Principal, messages: Sequence[Message], *, hides: bool
) -> list[bytes]:
    """The JSON of messages for this reader; an app's server has no reactions of its own.

    Of those whose author the reader has blocked, only the place; not `hides` shows all: the reader
    has blocked nobody, or asks for this very message.
    """
    spared = (
        await spared_authors(connection, caller.app_id, caller.user_id, messages) if hides else frozenset()
    )
    seen = [message for message in messages if message.user_id not in spared]
    quoted = await _quoted(connection, caller, seen)
    own: Mapping[MessageId, list[str]] | None = None
    if caller.user_id is not None:
        reacted = [message.id for message in seen if message.reaction_counts]
        own = await own_reactions(connection, caller.user_id, reacted) if reacted else {}
    return [
        data_json(hidden(message)) if message.user_id in spared else _with_details(message, quoted, own)
        for message in messages
    ]


async def newest_seen(
    connection: Connection, app_id: AppId, reader_id: UserId | None, floors: Mapping[ChannelId, int]
) -> dict[ChannelId, Message | HiddenMessage]:
    """The newest message of each channel behind a seq as this reader sees it (None: a server)."""
    newest = await last_messages(connection, floors, reader_id)
    spared = await spared_authors(connection, app_id, reader_id, list(newest.values()))
    return {
        channel_id: hidden(message) if message.user_id in spared else message
        for channel_id, message in newest.items()
    }


async def spared_authors(
    connection: Connection, app_id: AppId, reader_id: UserId | None, messages: Sequence[Message]
) -> frozenset[UserId]:
    """Whose messages among these the reader does not want to see (None: a server, which sees all)."""
    authors = {message.user_id for message in messages} - {reader_id}
    if reader_id is None or not authors:
        return frozenset()
    return await blocked_among(connection, app_id, reader_id, sorted(authors))


async def _quoted(
    connection: Connection, caller: Principal, messages: Sequence[Message]
) -> Mapping[MessageId, bytes]:
    wanted = {
        message.reply_to_id: None
        for message in messages
        if message.reply_to_id is not None and message.deleted_at is None
    }
    if not wanted:
        return {}
    rows = await detail_store.fetch_quoted(
        connection, caller.app_id, caller.user_id, wanted, longest=QUOTED_CODE_POINTS
    )
    found = [
        Quoted(id=MessageId(str(row["id"])), user_id=row["user_id"], text=row["text"], deleted=row["deleted"])
        for row in rows
    ]
    return {one.id: data_json(one) for one in found}


def _with_details(
    message: Message, quoted: Mapping[MessageId, bytes], own: Mapping[MessageId, list[str]] | None
) -> bytes:
    quote = b"null"
    if message.reply_to_id is not None and message.deleted_at is None:
        quote = quoted.get(message.reply_to_id, quote)
    details = b',"quoted":' + quote
    if own is not None:
        details += b',"ownReactions":' + orjson.dumps(own.get(message.id, []))
    return data_json(message)[:-1] + details + b"}"
