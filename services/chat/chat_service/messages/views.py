"""Messages as one reader sees them: with the reader's own reactions, and with what a reply quotes.

Both are read with the page, in a query each when anything on it needs them. They are never stored and in no event:
who else reacted is nobody's affair but the list's, and a quote has to follow what becomes of the quoted message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from pydantic import Field

from chat_service.auth.principal import Principal
from chat_service.messages import detail_store
from chat_service.paging import Page
from chat_service.reactions.store import own_reactions
from chatsdk_contracts.ids import MessageId, UserId
from chatsdk_contracts.messages import Message
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

    messages: list[ViewedMessage]
    max_seq: int
    truncated_seq: int


class PinPage(Page):
    """All pinned messages, the newest pin first."""

    messages: list[ViewedMessage]


async def shown(connection: Connection, caller: Principal, messages: Sequence[Message]) -> list[bytes]:
    """The JSON of messages for this reader; an app's server has no reactions of its own."""
    quoted = await _quoted(connection, caller, messages)
    own: Mapping[MessageId, list[str]] | None = None
    if caller.user_id is not None:
        reacted = [message.id for message in messages if message.reaction_counts]
        own = await own_reactions(connection, caller.user_id, reacted) if reacted else {}
    return [_with_details(message, quoted, own) for message in messages]


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
