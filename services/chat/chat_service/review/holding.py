"""Storing what has to wait for a moderator: part of the batch of sends, and a statement of its own only when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chat_service.events.log import Cause, append, user_notice
from chat_service.messages.rules import Accepted
from chat_service.review import store
from chat_service.uploads.link_store import link, links_of
from chatsdk_contracts.moderation import MessageHeld
from chatsdk_runtime.postgres import Transaction


async def write_held(tx: Transaction, held: Sequence[Accepted], *, now: datetime, epoch: int) -> None:
    """Store these messages and tell their authors. The channel hears of them when they are approved."""
    events = [
        user_notice(
            MessageHeld,
            Cause(one.send.app_id, now, epoch, one.send.user_id, one.send.traceparent),
            one.send.user_id,
            one.message,
        )
        for one in held
    ]
    await store.insert_held(tx, held, [event.id for event in events], now)
    if links := links_of(one.message for one in held):
        await link(tx, links)
    await append(tx, events)
