"""Threads of replies that are being written or taken away: their counters, their participants, one event each.

Used by the batched writer and at the end of a message's life, in their transactions and under their channels' locks.
Whatever a batch brings to a thread is told once, behind the messages. A batch without replies costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chat_service.events.log import Cause, LoggedEvent, append, channel_event
from chat_service.messages.rules import ChannelHead
from chat_service.messages.shadows import only_reader
from chat_service.messages.store import next_cv
from chat_service.threads import rules, store
from chat_service.threads.rules import Counted
from chatsdk_contracts.ids import ChannelId, MessageId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.threads import ThreadUpdated
from chatsdk_runtime.postgres import Transaction


@dataclass(frozen=True, slots=True)
class Replied:
    """The threads to be written with the messages, and their events."""

    threads: list[Counted] = field(default_factory=list)
    events: list[LoggedEvent] = field(default_factory=list)


async def grow(
    tx: Transaction,
    channels: Mapping[ChannelId, ChannelHead],
    messages: Sequence[Message],
    causes: Sequence[Cause],
) -> Replied:
    """What replies make of their threads; `causes` of the messages, one each. Counts a version for each thread."""
    replies: dict[MessageId, list[Message]] = {}
    latest: dict[MessageId, Cause] = {}
    for message, cause in zip(messages, causes, strict=True):
        parent_id = message.parent_id
        if parent_id is not None and only_reader(message) is None:
            replies.setdefault(parent_id, []).append(message)
            latest[parent_id] = cause
    replied = Replied()
    if not replies:
        return replied
    authors = {reply.user_id for several in replies.values() for reply in several}
    for before in await store.threads_before(tx, list(replies), list(authors)):
        channel, cause = channels[before.channel_id], latest[before.parent_id]
        channel.cv += 1
        grown = rules.grow(before, replies[before.parent_id])
        replied.threads.append(Counted(cause.app_id, grown, channel.cv))
        replied.events.append(channel_event(ThreadUpdated, cause, channel.id, channel.cv, grown.thread))
    return replied


async def write_places(tx: Transaction, replied: Replied) -> None:
    """Write who takes part and who follows; the threads' counters are written with the messages."""
    places = [(one.app_id, place) for one in replied.threads for place in one.grown.places]
    if places:
        await store.add_to_places(tx, places)


async def recount(tx: Transaction, cause: Cause, reply: Message, added: int) -> None:
    """Count a reply that is deleted or restored out of its thread or into it (with others of its author, when `added` is
    more than one). What is no reply is left alone, and one that only its author sees: it never counted.
    """
    if reply.parent_id is None or reply.thread_seq is None:
        return
    (before,) = await store.threads_before(tx, [reply.parent_id], [])
    cv = await next_cv(tx, reply.channel_id)
    after = await store.recount(tx, reply.parent_id, reply.user_id, added=added, cv=cv)
    data = rules.changed(before, after)
    await append(tx, [channel_event(ThreadUpdated, cause, reply.channel_id, cv, data)])
