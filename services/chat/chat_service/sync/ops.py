"""Use case of kept operations: apply them in order, each once, its result stored with its effect.

A lane (client, channel) takes its operations by number: one at or below the last is answered with its stored
result, the next is applied, one beyond it is refused. A refusal is a result as well and lets the lane go on; what
may be tried again (5xx, 429) stores nothing and stops the lane, so that nothing overtakes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from chat_service.auth.principal import Principal
from chat_service.errors import MessageNotFound, OpOutOfOrder
from chat_service.events.log import Cause
from chat_service.limits.charge import Charge
from chat_service.messages import actions as messages
from chat_service.messages import editing, removal
from chat_service.messages.actions import Change
from chat_service.messages.batch import write_batch
from chat_service.messages.editing import ScreenedEdit
from chat_service.messages.requests import edit_of, send_of
from chat_service.messages.rules import ScreenedSend, forestalled
from chat_service.messages.shelf import Shelf
from chat_service.messages.store import fetch_message, lock_channel
from chat_service.reactions import actions as reactions
from chat_service.reactions.rules import Reacting
from chat_service.reads import actions as reads
from chat_service.resources import Resources
from chat_service.screening.gate import passed
from chat_service.sync import op_store
from chat_service.sync.op_store import LaneKey, StoredResult
from chat_service.sync.requests import DeleteOp, EditOp, Op, ReactionOp, ReadOp, SendOp
from chatsdk_contracts.ids import ChannelId, MessageId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.scopes import allows
from chatsdk_contracts.sync import OpResult
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import IdempotencyMismatch, ScopeMissing, ServiceError, Unavailable
from chatsdk_runtime.postgres import Connection, Transaction, reading, transaction


@dataclass(frozen=True, slots=True)
class Push:
    """Who pushes operations of which lane, why the events exist, and where deleted words are kept for a while."""

    caller: Principal
    lane: LaneKey
    cause: Cause
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation did: the status of the plain call, and the message concerned if there is one."""

    status_code: int
    message: Message | None


Prepared: TypeAlias = Callable[[Transaction], Awaitable[Effect]]
"""An operation that passed the gate, to be applied in a transaction."""


async def push(resources: Resources, asked: Push, ops: Sequence[Op]) -> list[OpResult]:
    """Apply operations, one transaction each, up to the first that may be tried again.

    Raises:
        OpOutOfOrder: the first one is beyond the lane's next.
        IdempotencyMismatch: an operation came before with other content.
        ServiceError: the first one failed in a way that may be tried again.
    """
    results: list[OpResult] = []
    for op in ops:
        try:
            # Before the transaction: to be counted may take a moment, and the app's hook its time; nobody is to wait for
            # the lane meanwhile.
            charge = await _charge(resources, asked, op)
            prepared = await _prepared(resources, asked, op, charge)
            async with transaction(resources.pool) as tx:
                result = await _apply(tx, asked, op, prepared)
            if result.replayed or (isinstance(op, SendOp) and result.status == 200):
                resources.limiter.refund(charge)
            results.append(result)
        except ServiceError:
            if not results:
                raise
            break
    return results


async def _charge(resources: Resources, asked: Push, op: Op) -> Charge:
    """Count an operation as the plain call is counted. Raises RateLimited if it may not even be looked up."""
    limiter, is_send = resources.limiter, isinstance(op, SendOp)
    channel_id = asked.lane.channel_id if is_send else None
    charge = await limiter.charge("send" if is_send else "write", asked.caller, channel_id)
    await limiter.require_look(charge)
    return charge


async def _prepared(
    resources: Resources, asked: Push, op: Op, charge: Charge
) -> Prepared | ServiceError | None:
    """What is to be done, or why not: a value, as it is a result like any other. None: the operation has its result."""
    if not await resources.screening.is_plain(asked.lane.app_id):
        async with reading(resources.pool) as connection:
            if await op_store.fetch_result(connection, asked.lane, op.op_id, op.lane_seq) is not None:
                return None
    try:
        if isinstance(op, SendOp):
            return await _prepared_send(resources, asked, op, charge)
        charge.require()
        match op:
            case EditOp():
                change = _change(asked, op.message_id, op.edit.base_version)
                edit = await editing.screen_edit(resources, change, edit_of(op.edit, asked.cause.now))
                return partial(_edit, asked=asked, op=op, edit=passed(edit))
            case DeleteOp():
                return partial(_delete, asked=asked, op=op)
            case ReactionOp():
                return partial(_react, asked=asked, op=op)
            case ReadOp():
                return partial(_read, asked=asked, op=op)
    except ServiceError as refusal:
        return refusal


async def _prepared_send(resources: Resources, asked: Push, op: SendOp, charge: Charge) -> Prepared:
    """Raises RateLimited for a send over the limits, unless it came before."""
    wanted = send_of(op.message, asked.caller, asked.lane.channel_id, asked.cause, None)
    if charge.refused_by is not None:
        async with reading(resources.pool) as connection:
            if not await messages.is_repeat(connection, wanted):
                charge.require()
    async with resources.screening.screened(wanted) as screened:
        return partial(_send, asked=asked, screened=screened)


async def _apply(tx: Transaction, asked: Push, op: Op, prepared: Prepared | ServiceError | None) -> OpResult:
    """One operation: its stored result, or its effect with the result stored beside it."""
    now = asked.cause.now
    last = await op_store.lock_lane(tx, asked.lane, now)
    fingerprint = _fingerprint(op)
    stored = await op_store.fetch_result(tx, asked.lane, op.op_id, op.lane_seq)
    if stored is not None:
        return await _replayed(tx, asked, op, stored, fingerprint)
    if op.lane_seq != last + 1:
        raise OpOutOfOrder(expected=last + 1)
    try:
        # A savepoint: what a refused operation had begun to write is undone, its result is not.
        async with tx.transaction():
            assert prepared is not None, "only an operation that has its result is not prepared"
            effect = await passed(prepared)(tx)
    except ServiceError as refusal:
        if refusal.status_code >= 500 or refusal.status_code == 429:
            raise
        error = _error_of(refusal)
        cv = await op_store.channel_version(tx, asked.lane)
        kept = StoredResult(op.op_id, op.lane_seq, fingerprint, refusal.status_code, _target(op), error, cv)
        await op_store.store_result(tx, asked.lane, kept, now)
        return OpResult(
            op_id=op.op_id,
            lane_seq=op.lane_seq,
            status=refusal.status_code,
            replayed=False,
            error={**error, **refusal.extra},
        )
    cv = await op_store.channel_version(tx, asked.lane)
    kept = StoredResult(op.op_id, op.lane_seq, fingerprint, effect.status_code, _target(op), None, cv)
    await op_store.store_result(tx, asked.lane, kept, now)
    return OpResult(
        op_id=op.op_id,
        lane_seq=op.lane_seq,
        status=effect.status_code,
        replayed=False,
        message=effect.message,
    )


async def _replayed(
    tx: Transaction, asked: Push, op: Op, stored: StoredResult, fingerprint: bytes
) -> OpResult:
    """The stored result, with the message as it is now."""
    if stored.fingerprint != fingerprint or stored.lane_seq != op.lane_seq or stored.op_id != op.op_id:
        raise IdempotencyMismatch(
            "This operation came before with other content or at another place.",
            hint="Make a new opId for a new operation; repeat one with the same laneSeq and content.",
        )
    message = await _message_now(tx, asked.lane.channel_id, stored.message_id)
    error = stored.error
    if error is not None and stored.status_code == 409 and message is not None:
        error = {**error, "current": message.model_dump(mode="json", by_alias=True)}
    return OpResult(
        op_id=op.op_id,
        lane_seq=op.lane_seq,
        status=stored.status_code,
        replayed=True,
        message=message if error is None else None,
        error=error,
    )


async def _send(tx: Transaction, asked: Push, screened: ScreenedSend) -> Effect:
    # The batch passes over a channel that somebody holds; an operation waits for it.
    await lock_channel(tx, asked.lane.app_id, asked.lane.channel_id)
    wanted = await messages.with_files(tx, screened)
    written = await write_batch(tx, [wanted], now=asked.cause.now, epoch=asked.cause.epoch)
    [verdict] = written.verdicts
    if isinstance(verdict, ServiceError):
        raise verdict
    if verdict is None:
        raise Unavailable("The channel is busy.", headers={"Retry-After": "1"})
    return Effect(201 if written.bodies else 200, verdict.message)


async def _edit(tx: Transaction, asked: Push, op: EditOp, edit: ScreenedEdit) -> Effect:
    change = _change(asked, op.message_id, op.edit.base_version)
    await editing.edit(tx, change, edit)
    message = await _message_now(tx, asked.lane.channel_id, op.message_id)
    assert message is not None, "edited in this transaction"
    return Effect(200, message)


async def _delete(tx: Transaction, asked: Push, op: DeleteOp) -> Effect:
    try:
        await removal.delete(tx, _change(asked, op.message_id, op.base_version), asked.shelf)
    except MessageNotFound:
        standing = await messages.require_readable(tx, asked.caller, asked.lane.channel_id)
        await op_store.write_pre_tombstone(tx, asked.lane, op.message_id, asked.cause.now)
        lane, now = asked.lane, asked.cause.now
        gone = forestalled(lane.channel_id, lane.user_id, op.message_id, cv=standing.cv, deleted_at=now)
        return Effect(200, gone)
    message = await _message_now(tx, asked.lane.channel_id, op.message_id)
    assert message is not None, "deleted in this transaction, and its tombstone stays"
    return Effect(200, message)


async def _react(tx: Transaction, asked: Push, op: ReactionOp) -> Effect:
    if not allows(asked.caller.scopes, "reaction:write"):
        raise ScopeMissing("reaction:write")
    wanted = Reacting(
        app_id=asked.lane.app_id,
        channel_id=asked.lane.channel_id,
        message_id=op.message_id,
        user_id=asked.lane.user_id,
        type=reactions.require_type(op.type, "type"),
        change="add" if op.kind == "reaction.add" else "remove",
        traceparent=asked.cause.traceparent,
    )
    answer = await reactions.react(tx, wanted, epoch=asked.cause.epoch, now=asked.cause.now)
    return Effect(answer.status_code, await _message_now(tx, asked.lane.channel_id, op.message_id))


async def _read(tx: Transaction, asked: Push, op: ReadOp) -> Effect:
    """Move the reader's marker; where it is then, `states` of the next page say to all devices alike."""
    channel_id, seq = asked.lane.channel_id, op.seq
    if op.message_id is not None:
        seq = await reads.seq_of(tx, asked.caller, channel_id, op.message_id)
    await reads.mark_read(tx, asked.cause, channel_id, asked.lane.user_id, seq)
    return Effect(200, None)


def _change(asked: Push, message_id: MessageId, base_version: int | None) -> Change:
    return Change(asked.caller, asked.lane.channel_id, message_id, base_version, asked.cause)


async def _message_now(
    connection: Connection, channel_id: ChannelId, message_id: MessageId | None
) -> Message | None:
    return None if message_id is None else await fetch_message(connection, channel_id, message_id)


def _target(op: Op) -> MessageId | None:
    """The message that a result tells of."""
    match op:
        case SendOp():
            return op.message.id
        case ReadOp():
            return None
        case _:
            return op.message_id


def _fingerprint(op: Op) -> bytes:
    return hashlib.sha256(data_json(op)).digest()


def _error_of(refusal: ServiceError) -> dict[str, object]:
    """The error object as the plain call gives it, without what it shows of a message."""
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.hint is not None:
        error["hint"] = refusal.hint
    if refusal.details:
        error["details"] = [
            {"path": one.path, "code": one.code, "message": one.message} for one in refusal.details
        ]
    return error
