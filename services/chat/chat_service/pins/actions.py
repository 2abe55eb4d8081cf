"""Use cases of pins, one transaction each, under the channel's lock."""

from __future__ import annotations

from typing import Any

from chat_service.auth.principal import Principal
from chat_service.events.log import append, channel_event
from chat_service.messages import views
from chat_service.messages.actions import Change, lock_message, require_readable, require_writing
from chat_service.messages.shadows import only_reader
from chat_service.messages.store import Standing, next_cv
from chat_service.pins import rules, store
from chatsdk_contracts.ids import ChannelId
from chatsdk_contracts.messages import Message, MessagePinned, MessageUnpinned
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Transaction


async def pin(tx: Transaction, change: Change) -> Answer:
    """Pin a message; one that is pinned stays as it is."""
    message, standing = await _lock_for(tx, change)
    if message.pinned:
        return Answer(data_json(message))
    refusal = rules.pin_refusal(message, await store.count_pins(tx, change.channel_id))
    if refusal is not None:
        raise refusal
    pinned_by = {"pinned": True, "pinned_at": change.cause.now, "pinned_by": change.caller.user_id}
    return await _write(tx, change, standing, message, pinned_by)


async def unpin(tx: Transaction, change: Change) -> Answer:
    """Unpin a message; one that is not pinned stays as it is."""
    message, standing = await _lock_for(tx, change)
    if not message.pinned:
        return Answer(data_json(message))
    unpinned = {"pinned": False, "pinned_at": None, "pinned_by": None}
    return await _write(tx, change, standing, message, unpinned)


async def list_pins(connection: Connection, caller: Principal, channel_id: ChannelId) -> Answer:
    """All pinned messages, the newest pin first: they fit on one page."""
    standing = await require_readable(connection, caller, channel_id)
    pinned = await store.list_pins(connection, channel_id, standing.floor_seq, caller.user_id)
    pins = await views.shown(connection, caller, pinned, hides=standing.has_blocked)
    return Answer(b'{"messages":[%b],"nextCursor":null,"hasMore":false}' % b",".join(pins))


async def _lock_for(tx: Transaction, change: Change) -> tuple[Message, Standing]:
    message, standing = await lock_message(tx, change)
    await require_writing(tx, change, message)
    refusal = rules.pinning_refusal(
        change.caller.user_id, standing.role, standing.channel_type, frozen=standing.frozen
    )
    if refusal is not None:
        raise refusal
    return message, standing


async def _write(
    tx: Transaction, change: Change, standing: Standing, message: Message, fields: dict[str, Any]
) -> Answer:
    changed = message.model_copy(update={**fields, "cv": standing.cv + 1})
    event_class = MessagePinned if changed.pinned else MessageUnpinned
    event = channel_event(
        event_class, change.cause, change.channel_id, changed.cv, changed, only_for=only_reader(changed)
    )
    await store.write_pin(tx, changed, event.id)
    await next_cv(tx, change.channel_id)
    await append(tx, [event])
    return Answer(data_json(changed))
