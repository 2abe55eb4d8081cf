"""Use cases of read state: the marker moves under the user's lock, and the others are told at most once a second.

The marker is the pair of generation and seq, compared in this order: reading moves the seq up, "mark as unread" begins a
new generation, so that devices which hear of both in any order agree. Receipts only ever go up.
"""

from __future__ import annotations

from functools import partial

from chat_service.auth.principal import Principal
from chat_service.channels.access import find_visible
from chat_service.events.log import Cause, LoggedEvent, append, channel_notice
from chat_service.memberstate import rules
from chat_service.memberstate.actions import change_state
from chat_service.messages.actions import require_message, require_readable
from chat_service.messages.shadows import only_reader
from chat_service.messages.visible_store import fetch_shadowed_place
from chat_service.paging import encode_cursor
from chat_service.reads import store
from chat_service.reads.errors import ReceiptsOff
from chat_service.reads.store import Told
from chat_service.reads.views import Marker, ReaderPage
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.receipts import MessageRead, ReadReceipt
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.postgres import Connection, Transaction


async def mark_read(
    tx: Transaction, cause: Cause, channel_id: ChannelId | None, user_id: UserId, seq: int | None
) -> Marker:
    """Move the marker up to a seq (None: everything so far); one that is there already stays."""
    state = await change_state(tx, cause, channel_id, user_id, partial(rules.read_up_to, seq=seq))
    channel = await find_visible(tx, cause.app_id, state.channel_id, user_id)
    if channel.config.read_events:
        told = await store.take_receipt(tx, channel.id, user_id)
        if told is not None:
            await append(tx, [receipt_event(cause, told)])
    unread = channel.last_seq - max(state.last_read_seq, state.cleared_seq)
    return Marker(
        last_read_seq=state.last_read_seq, read_generation=state.read_generation, unread_count=max(unread, 0)
    )


async def mark_unread(
    tx: Transaction, cause: Cause, channel_id: ChannelId | None, user_id: UserId, seq: int
) -> Marker:
    """Put the marker before a seq; others are told nothing, and what they know already stays."""
    state = await change_state(tx, cause, channel_id, user_id, partial(rules.unread_from, seq=seq))
    channel = await find_visible(tx, cause.app_id, state.channel_id, user_id)
    unread = channel.last_seq - max(state.last_read_seq, state.cleared_seq)
    return Marker(
        last_read_seq=state.last_read_seq, read_generation=state.read_generation, unread_count=max(unread, 0)
    )


async def seq_of(
    connection: Connection, caller: Principal, channel_id: ChannelId, message_id: MessageId
) -> int:
    """The place in the timeline of a message that the caller may see.

    Raises:
        InvalidInput: a reply has no place of its own there.
    """
    message, _ = await require_message(connection, caller, channel_id, message_id)
    author_id = only_reader(message)
    if author_id is not None and message.parent_id is None:
        # To have read what stands behind it is to have read the message of all before it.
        return await fetch_shadowed_place(connection, channel_id, author_id, message_id) or 0
    if message.seq is None:
        raise invalid_field("messageId", "is_reply", "is a reply; name a message of the channel itself")
    return message.seq


async def list_readers(
    connection: Connection,
    caller: Principal,
    channel_id: ChannelId,
    message_id: MessageId | None,
    *,
    after: str,
    limit: int,
) -> ReaderPage:
    """How far the members are known to have read; with a message, those who have read it.

    Raises:
        ReceiptsOff: the channel tells nobody.
    """
    standing = await require_readable(connection, caller, channel_id)
    if not standing.config.read_events:
        raise ReceiptsOff
    at_least = 0 if message_id is None else await seq_of(connection, caller, channel_id, message_id)
    found = await store.list_readers(connection, channel_id, at_least=at_least, after=after, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    return ReaderPage(
        members=page, next_cursor=encode_cursor(page[-1].user_id) if more else None, has_more=more
    )


def receipt_event(cause: Cause, told: Told) -> LoggedEvent:
    """What the others are told."""
    data = ReadReceipt(
        channel_id=told.channel_id,
        user_id=told.user_id,
        message_id=told.message_id,
        last_read_seq=told.seq,
        read_at=cause.now,
    )
    return channel_notice(MessageRead, cause, told.channel_id, data)
