"""The use case of a preview: show it with its message, unless that has changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chat_service.events.log import Cause, append, channel_event
from chat_service.messages.shadows import only_reader
from chat_service.messages.store import fetch_message, lock_channel, next_cv
from chat_service.previews import store
from chat_service.previews.store import Job
from chatsdk_contracts.messages import ChangedMessage, LinkPreview, Message, MessageUpdated
from chatsdk_runtime.postgres import Connection, Transaction


async def still_wanted(connection: Connection, job: Job) -> Message | None:
    """The message, as long as it says what it said when the job was made."""
    message = await fetch_message(connection, job.channel_id, job.message_id)
    if message is None or message.deleted_at is not None or message.version != job.version:
        return None
    return message


async def show(
    tx: Transaction, job: Job, previews: Sequence[LinkPreview], *, epoch: int, now: datetime
) -> bool:
    """Show previews with their message, and tell its channel; False when the message is not the same any more."""
    is_there = await lock_channel(tx, job.app_id, job.channel_id)
    message = await still_wanted(tx, job) if is_there else None
    if message is None:
        await store.finish(tx, job, "void", now)
        return False
    cv = await next_cv(tx, job.channel_id)
    shown = message.model_copy(update={"link_previews": list(previews), "cv": cv})
    changed = ChangedMessage(**shown.model_dump(), changed=["linkPreviews"])
    cause, only_for = Cause(job.app_id, now, epoch), only_reader(message)
    event = channel_event(MessageUpdated, cause, job.channel_id, cv, changed, only_for=only_for)
    await store.write_previews(tx, shown, event.id)
    await append(tx, [event])
    await store.finish(tx, job, "shown", now)
    return True
