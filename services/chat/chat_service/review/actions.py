"""Use cases of held messages, one transaction each, under the channel's lock: list them, approve, reject.

An approved message is sent now: it gets the channel's next numbers, and members hear of it as of any new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chat_service.audit.actions import Action, Target, note
from chat_service.auth.principal import Principal
from chat_service.channels.member_store import fetch_role
from chat_service.errors import ChannelNotFound, MessageNotFound
from chat_service.events.log import Cause, append, channel_event, user_notice
from chat_service.mentions import noting
from chat_service.mentions.noting import Asking, Said
from chat_service.mentions.rules import asked_by_edit
from chat_service.messages import send_store, store
from chat_service.messages.actions import find_message, require_readable
from chat_service.messages.rules import ChannelHead
from chat_service.messages.shadows import only_reader
from chat_service.moderation.admission import require_free
from chat_service.moderation.restraint_store import fetch_restraint
from chat_service.paging import encode_cursor
from chat_service.previews import store as previews
from chat_service.previews.rules import wanted_previews
from chat_service.review import rules
from chat_service.review import store as held_store
from chat_service.review.errors import AlreadyDecided, AuthorGone, AuthorMayNotWrite, ThreadGone
from chat_service.review.store import Position
from chat_service.review.views import HeldPage
from chat_service.threads import replying
from chatsdk_contracts.ids import AppId, ChannelId, MessageId
from chatsdk_contracts.messages import Message, MessageNew
from chatsdk_contracts.moderation import MessageApproved, MessageRejected
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides on which message. `channel_id` None: wherever it is, which only an app's servers may say."""

    caller: Principal
    channel_id: ChannelId | None
    message_id: MessageId
    cause: Cause


async def list_held(
    connection: Connection,
    caller: Principal,
    channel_id: ChannelId | None,
    *,
    after: Position | None,
    limit: int,
) -> HeldPage:
    """What waits, the oldest first: in a channel for its moderators, in all channels for the app's servers.

    Raises:
        RoleTooLow: the caller is no moderator there.
    """
    if channel_id is not None:
        standing = await require_readable(connection, caller, channel_id)
        rules.require_moderator(caller.user_id, standing.role)
    found = await held_store.list_held(connection, caller.app_id, channel_id, after=after, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    cursor = encode_cursor(page[-1].created_at.isoformat(), page[-1].id) if more else None
    return HeldPage(messages=page, next_cursor=cursor, has_more=more)


async def approve(tx: Transaction, decision: Decision) -> Answer:
    """Send a held message; one that was approved before stays as it is.

    Raises:
        AlreadyDecided: it was rejected, or taken back.
        AuthorGone: whoever wrote it has left the channel.
        AuthorMayNotWrite: whoever wrote it was banned meanwhile.
        ThreadGone: the thread is not shown any more.
    """
    message = await _locked(tx, decision)
    if message.status == "sent":
        return Answer(data_json(message))
    if message.status != "held" or message.deleted_at is not None:
        raise AlreadyDecided(message)
    if await fetch_role(tx, message.channel_id, message.user_id) is None:
        raise AuthorGone
    restraint = await fetch_restraint(tx, decision.cause.app_id, message.channel_id, message.user_id)
    if restraint.refusal is not None:
        raise AuthorMayNotWrite(restraint.refusal)
    heads = await send_store.lock_channels(tx, [UUID(message.channel_id)])
    head = heads[message.channel_id]
    sent = await _placed(tx, head, message, decision.cause, is_shadowed=restraint.is_shadowed)
    await _write_sent(tx, head, sent, decision.cause)
    if jobs := wanted_previews([(sent, head.config)]):
        await previews.enqueue(tx, jobs, decision.cause.now)
    await _note(tx, decision, "message.approved", sent)
    return Answer(data_json(sent))


async def _write_sent(tx: Transaction, head: ChannelHead, sent: Message, cause: Cause) -> None:
    """Write what an approved message makes of its channel, its thread and those whom it mentions, as any new one."""
    as_author, only_for = _as_author(cause, sent), only_reader(sent)
    approved = user_notice(MessageApproved, cause, sent.user_id, sent)
    told = channel_event(MessageNew, as_author, sent.channel_id, sent.cv, sent, only_for=only_for)
    replied = await replying.grow(tx, {head.id: head}, [sent], [as_author])
    noted = noting.Noted()
    if only_for is None:
        asked = asked_by_edit(sent, None, None, sent.text)
        (there,) = await noting.present(tx, [Asking(sent.channel_id, sent.user_id, asked)])
        noted = await noting.note(tx, [Said(sent, as_author, there.deaf)])
    events = [told, approved, *replied.events, *noted.events]
    await send_store.write_sends(tx, [head], replied.threads, (), events, cause.now)
    shadowed_after = None if only_for is None else head.last_seq
    await held_store.write_sent(tx, sent, [approved.id, told.id], shadowed_after)
    await replying.write_places(tx, replied)
    await noting.write(tx, noted)


async def reject(tx: Transaction, decision: Decision) -> Answer:
    """Never send a held message; one that was rejected before stays so.

    Raises:
        AlreadyDecided: it was approved.
    """
    message = await _locked(tx, decision)
    if message.status == "rejected":
        return Answer(data_json(message))
    if message.status != "held":
        raise AlreadyDecided(message)
    rejected = message.model_copy(update={"status": "rejected", "updated_at": decision.cause.now})
    event = user_notice(MessageRejected, decision.cause, rejected.user_id, rejected)
    await held_store.write_rejected(tx, rejected, event.id)
    await append(tx, [event])
    await _note(tx, decision, "message.rejected", rejected)
    return Answer(data_json(rejected))


async def _note(tx: Transaction, decision: Decision, action: Action, message: Message) -> None:
    target = Target("message", message.id, message.channel_id)
    await note(tx, decision.cause, action, target, {"authorId": message.user_id})


async def _locked(tx: Transaction, decision: Decision) -> Message:
    """The message as last committed with its channel locked, if the caller may decide on it."""
    app_id: AppId = decision.caller.app_id
    channel_id = decision.channel_id
    if channel_id is None:
        channel_id = await held_store.channel_of(tx, app_id, decision.message_id)
        if channel_id is None:
            raise MessageNotFound
    if not await store.lock_channel(tx, app_id, channel_id):
        raise ChannelNotFound
    message, standing = await find_message(tx, decision.caller, channel_id, decision.message_id)
    rules.require_moderator(decision.caller.user_id, standing.role)
    await require_free(tx, app_id, channel_id, decision.caller.user_id)
    return message


async def _placed(
    tx: Transaction, head: ChannelHead, message: Message, cause: Cause, *, is_shadowed: bool
) -> Message:
    """The message with the numbers that it has from now on; they are counted in its channel's head.

    None when only its author will see it: a shadow-banned one, or one in a thread that nobody else sees.
    """
    thread = None
    if message.parent_id is not None:
        thread = await held_store.thread_of(tx, message.channel_id, message.parent_id)
        if thread is None:
            raise ThreadGone
    head.cv += 1
    seq, thread_seq = None, None
    if not is_shadowed and (thread is None or not thread.is_shadowed):
        head.is_told = True
        if thread is None:
            head.last_seq += 1
            head.added += 1
            seq = head.last_seq
        else:
            thread_seq = thread.last_seq + 1
    numbers = {"seq": seq, "thread_seq": thread_seq, "cv": head.cv}
    return message.model_copy(update={**numbers, "status": "sent", "updated_at": cause.now})


def _as_author(cause: Cause, message: Message) -> Cause:
    """Members see who wrote it, not who let it through."""
    return Cause(cause.app_id, cause.now, cause.epoch, message.user_id, cause.traceparent)
