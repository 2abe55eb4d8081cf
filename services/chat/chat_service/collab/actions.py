"""Use cases of collaborative text: write an operation, read operations. One transaction, under the channel's lock.

The channel's lock orders the operations of its messages, so that every one is made to follow those before it and its
number is the version that it makes.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from chat_service.auth.principal import Principal
from chat_service.collab import document, rules, store
from chat_service.collab.errors import BaseTooOld, NotCollaborative, TextMovedOn
from chat_service.collab.rules import Changed
from chat_service.collab.store import TextState
from chat_service.collab.views import OpAnswer, OpPage, OpView, TextSnapshot
from chat_service.errors import ChannelNotFound, MessageIsDeleted, MessageNotFound
from chat_service.events.log import Cause, append, channel_event
from chat_service.events.rules import LOG_KEPT_DAYS
from chat_service.holds.store import is_held
from chat_service.messages.actions import require_message
from chat_service.messages.rules import ScreenedOutcome
from chat_service.messages.shadows import only_reader
from chat_service.messages.store import Standing, lock_channel, next_cv
from chat_service.moderation.admission import require_free
from chat_service.moderation.errors import NotEditable
from chat_service.resources import Resources
from chat_service.screening.gate import passed
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import ChangedMessage, Message, MessageUpdated, TextOp
from chatsdk_contracts.wire import data_json, to_epoch_ms
from chatsdk_runtime.errors import IdempotencyMismatch, ServiceError, invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Writing:
    """An operation as it is asked for: who writes where, on which version.

    `writer` is the caller; an app's server writes in the name of `user_id`, who is in the channel.
    """

    cause: Cause
    channel_id: ChannelId
    message_id: MessageId
    writer: Principal
    user_id: UserId
    client_op_id: str
    base_version: int | None
    ops: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many operations are kept for those who come back, and how large a document may be."""

    ops_kept: int
    state_bytes: int


async def screen(resources: Resources, wanted: Writing, limits: Limits) -> ScreenedOutcome | ServiceError:
    """What the text may come to, or why it may not; before the transaction, as a hook takes its time.

    The refusal is a value, because the repeat of an operation is answered before anything is refused.
    """

    async def look(connection: Connection) -> tuple[Message, str] | None:
        message, standing = await _readable(connection, wanted)
        if await _repeated(connection, wanted, message) is not None:
            return None
        await _require_writing(connection, wanted, message, standing)
        kept = await store.fetch_state(connection, message.id)
        changed = await _changed(connection, message, standing, kept, wanted, limits)
        return message, changed.text

    try:
        return await resources.screening.screen_operation(
            wanted.cause.app_id, wanted.channel_id, wanted.user_id, look
        )
    except ServiceError as refusal:
        return refusal


async def write(
    tx: Transaction, wanted: Writing, limits: Limits, screened: ScreenedOutcome | ServiceError
) -> Answer:
    """Write an operation behind those that came before it; its repeat gets what it came to.

    Raises:
        TextMovedOn: with what came meanwhile, it comes to another text than the one that was screened.
        BaseTooOld: what it has to follow is not kept any more.
        NotCollaborative: the message has no such text.
        Banned, BlockedByOther, NotEditable: the writer is restrained.
    """
    message, standing = await _locked(tx, wanted)
    repeat = await _repeated(tx, wanted, message)
    if repeat is not None:
        return Answer(_answer(message.id, repeat, duplicate=True))
    await _require_writing(tx, wanted, message, standing)
    outcome, kept = passed(screened), await store.fetch_state(tx, message.id)
    changed = await _changed(tx, message, standing, kept, wanted, limits)
    if not outcome.allows(changed.text):
        raise TextMovedOn
    written = _next(message, changed, standing.cv + 1, wanted.cause)
    op = OpView(
        version=written.version,
        user_id=wanted.user_id,
        client_op_id=wanted.client_op_id,
        ops=list(changed.ops),
        created_at=wanted.cause.now,
    )
    await _tell(tx, wanted, written, op, _asked(wanted, message))
    await _keep(tx, wanted, written, kept, changed, limits)
    return Answer(_answer(message.id, op, duplicate=False), 201)


def _asked(wanted: Writing, message: Message) -> bytes:
    return rules.request_hash(message.text_mode or "", wanted.base_version, wanted.ops)


async def _repeated(connection: Connection, wanted: Writing, message: Message) -> OpView | None:
    stored = await store.fetch_op(connection, wanted.message_id, wanted.user_id, wanted.client_op_id)
    if stored is None:
        return None
    if stored.request_hash != _asked(wanted, message):
        raise IdempotencyMismatch(
            "This clientOpId was used for an operation with other content.",
            hint="Use a new clientOpId for a new operation.",
        )
    return stored.view


async def _require_writing(
    connection: Connection, wanted: Writing, message: Message, standing: Standing
) -> None:
    rules.require_writer(standing.role, frozen=standing.frozen, by_server=wanted.writer.user_id is None)
    restraint = await require_free(connection, wanted.cause.app_id, wanted.channel_id, wanted.user_id)
    if restraint.is_shadowed and only_reader(message) is None:
        raise NotEditable
    if message.deleted_at is not None:
        raise MessageIsDeleted
    if message.text_mode is None:
        raise NotCollaborative


async def _locked(tx: Transaction, wanted: Writing) -> tuple[Message, Standing]:
    if not await lock_channel(tx, wanted.cause.app_id, wanted.channel_id):
        raise ChannelNotFound
    return await _readable(tx, wanted)


async def _readable(connection: Connection, wanted: Writing) -> tuple[Message, Standing]:
    in_whose_name = replace(wanted.writer, user_id=wanted.user_id)
    return await require_message(connection, in_whose_name, wanted.channel_id, wanted.message_id)


async def _changed(
    connection: Connection,
    message: Message,
    standing: Standing,
    kept: TextState | None,
    wanted: Writing,
    limits: Limits,
) -> Changed:
    # In a thread: a large document takes milliseconds in which others' calls go on.
    if message.text_mode == "crdt":
        updates = rules.updates_of(wanted.ops)
        state = None if kept is None else kept.state
        return await asyncio.to_thread(
            rules.merged, message.text, state, updates, standing.config, limits.state_bytes
        )
    operation = rules.operation_of(wanted.ops)
    base = wanted.base_version
    if base is None:
        raise invalid_field(
            "baseVersion", "missing", "required: which version of the text was the operation made on?"
        )
    if base > message.version:
        raise invalid_field("baseVersion", "unknown_version", f"the message is at version {message.version}")
    if kept is not None and base < kept.kept_after:
        raise BaseTooOld(kept.kept_after)
    since = [] if base == message.version else await store.list_ops(connection, message.id, after=base)
    earlier = [rules.stored_operation(one.ops or []) for one in since]
    return await asyncio.to_thread(
        rules.written, message.text, message.version, operation, earlier, standing.config
    )


def _next(message: Message, changed: Changed, cv: int, cause: Cause) -> Message:
    return message.model_copy(
        update={
            "text": changed.text,
            "version": message.version + 1,
            "cv": cv,
            "updated_at": cause.now,
            "edited_at": cause.now,
        }
    )


async def _tell(tx: Transaction, wanted: Writing, written: Message, op: OpView, asked: bytes) -> None:
    """Write message and operation, and one event with both: who has the version before applies the operation."""
    told = TextOp(client_op_id=op.client_op_id, user_id=op.user_id, version=op.version, ops=op.ops or [])
    data = ChangedMessage(**written.model_dump(), changed=["text"], text_op=told)
    only_for = only_reader(written)
    event = channel_event(
        MessageUpdated, wanted.cause, wanted.channel_id, written.cv, data, only_for=only_for
    )
    await store.write_op(tx, wanted.cause.app_id, written, op, asked, event.id)
    await next_cv(tx, wanted.channel_id)
    await append(tx, [event])


async def _keep(
    tx: Transaction,
    wanted: Writing,
    written: Message,
    kept: TextState | None,
    changed: Changed,
    limits: Limits,
) -> None:
    # Before the first operation nothing is lost: whoever has the message has the text it was made on.
    before = written.version - 1 if kept is None else kept.kept_after
    after = rules.next_kept_after(written.version, before, limits.ops_kept)
    if after > before and await is_held(tx, wanted.cause.app_id, wanted.channel_id, written.user_id):
        # Who wrote which words is evidence as long as the hold lasts.
        after = before
    if kept is None or after > before or changed.state is not None:
        state = TextState(after, changed.state)
        await store.write_state(tx, wanted.cause.app_id, written.id, state, dropped_after=before)
    if after > before:
        oldest = wanted.cause.now - timedelta(days=LOG_KEPT_DAYS + 1)
        await store.trim_told(tx, written.id, _first_id(to_epoch_ms(oldest)))


def _first_id(epoch_ms: int) -> str:
    """The lowest id that can have been made at a time: ids begin with it."""
    return f"{epoch_ms << 80:032x}"


async def reread(connection: Connection, wanted: Writing) -> bytes:
    """What an operation came to, for the repeat of its call."""
    stored = await store.fetch_op(connection, wanted.message_id, wanted.user_id, wanted.client_op_id)
    if stored is None:
        raise MessageNotFound
    return _answer(wanted.message_id, stored.view, duplicate=True)


def _answer(message_id: MessageId, op: OpView, *, duplicate: bool) -> bytes:
    return data_json(OpAnswer(**dict(op), message_id=message_id, duplicate=duplicate))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which operations a reader wants: behind a version, or (None) the text as it is to begin with."""

    channel_id: ChannelId
    message_id: MessageId
    after: int | None
    limit: int


async def read(connection: Connection, caller: Principal, asked: Asked) -> OpPage:
    """Operations behind a version; a snapshot for who begins, and for who was away for longer than they are kept.

    Raises:
        NotCollaborative: the message has no such text.
    """
    message, _ = await require_message(connection, caller, asked.channel_id, asked.message_id)
    if message.text_mode is None:
        raise NotCollaborative
    kept = await store.fetch_state(connection, message.id)
    after = asked.after or None
    if after is not None and after > message.version:
        raise invalid_field("after", "unknown_version", f"the message is at version {message.version}")
    reset = after is not None and kept is not None and after < kept.kept_after
    snapshot, found = None, []
    if after is None or reset:
        snapshot = _snapshot(message, kept)
    else:
        found = await store.list_ops(connection, message.id, after=after, limit=asked.limit + 1)
    return OpPage(
        message_id=message.id,
        text_mode=message.text_mode,
        version=message.version,
        reset=reset,
        snapshot=snapshot,
        ops=found[: asked.limit],
        has_more=len(found) > asked.limit,
    )


def _snapshot(message: Message, kept: TextState | None) -> TextSnapshot:
    state = None
    if message.text_mode == "crdt":
        held = None if kept is None else kept.state
        encoded = document.seeded(message.text) if held is None else held
        state = base64.b64encode(encoded).decode()
    return TextSnapshot(version=message.version, text=message.text, state=state)
