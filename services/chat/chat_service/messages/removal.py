"""Use cases at the end of a message's life: delete, undelete, purge; one transaction each, under the channel's lock.

Deleting leaves a tombstone and a sealed copy with a date; purging leaves the tombstone alone.
"""

from __future__ import annotations

from chat_service.audit.actions import Target, note
from chat_service.errors import NotRestorable, RoleTooLow
from chat_service.events.log import Cause, append, channel_event, user_notice
from chat_service.holds.check import refuse_held_message
from chat_service.messages import detail_store, remains, rights, store
from chat_service.messages.actions import Change, check_base, lock_message, require_writing
from chat_service.messages.shadows import only_reader
from chat_service.messages.shelf import Shelf
from chat_service.moderation.admission import require_free
from chat_service.threads import replying
from chat_service.uploads.link_store import link, links_of, unlink
from chatsdk_contracts.ids import MessageId
from chatsdk_contracts.messages import Message, MessageDeleted, MessagePurged, MessageUndeleted, tombstone
from chatsdk_contracts.moderation import MessageRejected
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Forbidden
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction


async def delete(tx: Transaction, change: Change, shelf: Shelf) -> Answer:
    """Leave a tombstone, and nothing of what was said in the log; deleting a tombstone changes nothing."""
    message, standing = await lock_message(tx, change, unsent=True)
    if not rights.may_delete(message, change.caller.user_id, standing.role):
        raise Forbidden("Only its author or a moderator may delete a message.")
    if message.user_id != change.caller.user_id:
        await require_free(tx, change.caller.app_id, change.channel_id, change.caller.user_id)
    if message.deleted_at is not None:
        return Answer(data_json(message))
    check_base(message, change.base_version)
    await refuse_held_message(tx, change.caller.app_id, change.channel_id, message.user_id)
    if message.status != "sent":
        return Answer(data_json(await withdraw(tx, change.cause, message)))
    gone = tombstone(
        message, deleted_at=change.cause.now, deleted_by=change.caller.user_id, cv=standing.cv + 1
    )
    await _redact_log(tx, change.message_id)
    await detail_store.forget_history(tx, change.message_id)
    await shelf.put(tx, message, change.cause.now)
    await unlink(tx, [message.id], change.cause.now)
    await store.write_tombstone(tx, gone)
    await store.next_cv(tx, change.channel_id)
    event = channel_event(
        MessageDeleted, change.cause, change.channel_id, gone.cv, gone, only_for=only_reader(gone)
    )
    await append(tx, [event])
    await replying.recount(tx, change.cause, gone, -1)
    return Answer(data_json(gone))


async def withdraw(tx: Transaction, cause: Cause, message: Message) -> Message:
    """Take back what waits for a moderator, or was rejected. The channel never heard of it, and does not now."""
    rejected = message.model_copy(update={"status": "rejected"})
    gone = tombstone(rejected, deleted_at=cause.now, deleted_by=cause.actor_id, cv=message.cv)
    await _redact_log(tx, message.id)
    await unlink(tx, [message.id], cause.now)
    await store.write_tombstone(tx, gone)
    await append(tx, [user_notice(MessageRejected, cause, message.user_id, gone)])
    return gone


async def undelete(tx: Transaction, change: Change, shelf: Shelf) -> Answer:
    """Put back what was said, with the reactions; what is not deleted stays as it is.

    Raises:
        NotRestorable: it was purged, or its time is over.
    """
    message, standing = await lock_message(tx, change)
    if not rights.may_undelete(message, change.caller.user_id, standing.role):
        raise RoleTooLow("Only a moderator, or the author who deleted it, may restore a message.")
    if message.deleted_at is None:
        return Answer(data_json(message))
    await require_writing(tx, change, message)
    said = await shelf.take(tx, message.id, change.cause.now)
    if said is None:
        raise NotRestorable
    restored = message.model_copy(
        update={
            **dict(said),
            "reaction_counts": await detail_store.count_reactions(tx, message.id),
            "version": message.version + 1,
            "cv": standing.cv + 1,
            "updated_at": change.cause.now,
            "deleted_at": None,
            "deleted_by": None,
        }
    )
    event = channel_event(
        MessageUndeleted,
        change.cause,
        change.channel_id,
        restored.cv,
        restored,
        only_for=only_reader(restored),
    )
    await detail_store.write_restored(tx, restored, event.id)
    if links := links_of([restored]):
        await link(tx, links)
    await store.next_cv(tx, change.channel_id)
    await append(tx, [event])
    await replying.recount(tx, change.cause, restored, 1)
    return Answer(data_json(restored))


async def purge(tx: Transaction, change: Change) -> Answer:
    """Leave the tombstone and no other trace of what was said or of what others made of it; once and for ever."""
    message, standing = await lock_message(tx, change)
    if not rights.may_purge(change.caller.user_id, standing.role):
        raise RoleTooLow("Only a moderator or above may purge a message.")
    await require_free(tx, change.caller.app_id, change.channel_id, change.caller.user_id)
    if await detail_store.is_purged(tx, message.id):
        return Answer(data_json(message))
    check_base(message, change.base_version)
    await refuse_held_message(tx, change.caller.app_id, change.channel_id, message.user_id)
    now = change.cause.now
    gone = remains.purged(message, now=now, by=change.caller.user_id, cv=standing.cv + 1)
    await _redact_log(tx, message.id)
    await detail_store.wipe_details(tx, message.id, now)
    await unlink(tx, [message.id], now)
    await store.write_tombstone(tx, gone)
    await store.next_cv(tx, change.channel_id)
    event = channel_event(
        MessagePurged, change.cause, change.channel_id, gone.cv, gone, only_for=only_reader(gone)
    )
    await append(tx, [event])
    await note(tx, change.cause, "message.purged", Target("message", message.id, change.channel_id))
    if message.deleted_at is None:
        await replying.recount(tx, change.cause, gone, -1)
    return Answer(data_json(gone))


async def _redact_log(tx: Transaction, message_id: MessageId) -> None:
    """Take what was said out of every event that carries it."""
    told = await store.fetch_told(tx, message_id)
    if told:
        await store.redact_told(tx, {event_id: remains.redacted(body) for event_id, body in told.items()})
