"""Use cases of messages: send, list, get, edit. Sends go through the batched writer; an edit is one transaction,
under the channel's lock. `removal` has those at the end of a message's life.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from chat_service.auth.principal import Principal
from chat_service.collab.errors import WrittenTogether
from chat_service.errors import ChannelNotFound, MessageNotFound, NotAMember, VersionConflict
from chat_service.events.log import Cause, append, channel_event
from chat_service.limits.charge import Charge
from chat_service.mentions import noting
from chat_service.mentions.noting import Asking, Said
from chat_service.mentions.rules import Mentioned, asked_by_edit, decide
from chat_service.messages import detail_store, rights, rules, shadows, store, views
from chat_service.messages.rules import Send
from chat_service.messages.visible_store import (
    fetch_readable,
    fetch_shadowed_place,
    list_after,
    list_before,
    list_own_shadowed,
)
from chat_service.messages.waiting import Sent
from chat_service.moderation.admission import require_free
from chat_service.moderation.errors import NotEditable
from chat_service.resources import Resources
from chat_service.uploads.attaching import names_uploads, with_uploads
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.messages import ChangedMessage, MentionGroup, Message, MessageUpdated
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Conflict, Forbidden, InvalidInput, ServiceError
from chatsdk_runtime.idempotency import Answer, fetch_answer, store_answer
from chatsdk_runtime.postgres import Connection, Transaction, reading, transaction


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """The reply to a send. `replayed`: found by its Idempotency-Key."""

    body: bytes
    status_code: int
    replayed: bool = False


async def send(resources: Resources, wanted: Send, charge: Charge) -> SendAnswer:
    """Store a message with its event; the repeat of a client id gets the stored message as it is now.

    A repeat is not counted and not refused, whatever the limits: `charge` is then given back, or passed over.
    """
    await resources.limiter.require_look(charge)
    if wanted.idempotency is None:
        sent = await _counted(resources, wanted, charge)
        return SendAnswer(
            _with_duplicate(sent.data, duplicate=sent.duplicate), 200 if sent.duplicate else 201
        )
    call = wanted.idempotency
    async with reading(resources.pool) as connection:
        answer = await fetch_answer(connection, resources.keyring, call)
        if answer is not None:
            resources.limiter.refund(charge)
            return await _replay(connection, answer)
    sent = await _counted(resources, wanted, charge)
    status_code = 200 if sent.duplicate and not wanted.client_msg_id.startswith("key-") else 201
    # By reference: a replay shows the message in its present state. The effect cannot be repeated between the
    # two commits, because the client id that belongs to the key finds the row.
    reference = {
        "channelId": sent.message.channel_id,
        "messageId": sent.message.id,
        "duplicate": status_code == 200,
    }
    async with transaction(resources.pool) as tx:
        await store_answer(tx, resources.keyring, call, Answer(orjson.dumps(reference), status_code))
    return SendAnswer(
        _with_duplicate(sent.data, duplicate=status_code == 200),
        status_code,
        replayed=sent.duplicate and status_code == 201,
    )


async def _counted(resources: Resources, wanted: Send, charge: Charge) -> Sent:
    """Hand a send to the writer, within the limits. Only one that is over them is looked up before it is refused."""
    if charge.refused_by is not None:
        async with reading(resources.pool) as connection:
            if not (rules.may_be_repeat(wanted.client_msg_id) and await is_repeat(connection, wanted)):
                charge.require()
    sent = await _write(resources, wanted)
    if sent.duplicate:
        resources.limiter.refund(charge)
    return sent


async def _write(resources: Resources, wanted: Send) -> Sent:
    """Hand a send to the writer. Files that it shows are looked up here, so that sends without any pay nothing."""
    described = wanted
    if names_uploads(wanted.attachments):
        async with transaction(resources.pool) as tx:
            described = await with_files(tx, wanted)
    sent = await resources.writer.write(described)
    if not sent.duplicate:
        resources.typists.spoke(wanted.app_id, wanted.channel_id, wanted.user_id, sent.message.created_at)
    return sent


async def with_files(tx: Transaction, wanted: Send) -> Send:
    """The send with what is known of the files that it shows.

    Raises:
        InvalidInput: one of them cannot be shown, and this send is no repeat.
    """
    if not names_uploads(wanted.attachments):
        return wanted
    try:
        return await with_uploads(tx, wanted)
    except InvalidInput:
        # A repeat precedes every check: what the message shows may be gone since it was sent.
        if not await is_repeat(tx, wanted):
            raise
        return wanted


async def is_repeat(connection: Connection, wanted: Send) -> bool:
    """Whether this client id was used already; the send itself decides what that means."""
    stored = await store.fetch_by_client_id(
        connection, wanted.channel_id, wanted.user_id, wanted.client_msg_id
    )
    return stored is not None


async def _replay(connection: Connection, answer: Answer) -> SendAnswer:
    reference = orjson.loads(answer.body)
    message = await store.fetch_message(
        connection, ChannelId(reference["channelId"]), MessageId(reference["messageId"])
    )
    if message is None:
        raise MessageNotFound
    body = _with_duplicate(data_json(message), duplicate=reference["duplicate"])
    return SendAnswer(body, answer.status_code, replayed=True)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a timeline: behind a seq, before a seq, or (neither) its end."""

    after_seq: int | None
    before_seq: int | None
    limit: int


async def list_messages(
    connection: Connection, caller: Principal, channel_id: ChannelId, page: Page
) -> Answer:
    """A page of the timeline, ascending; `nextCursor` goes on in the direction asked for.

    What the caller alone sees stands in its place, beside the page's number of messages.
    """
    standing = await require_readable(connection, caller, channel_id)
    if page.after_seq is not None:
        after_seq = max(page.after_seq, standing.floor_seq)
        found = await list_after(connection, channel_id, after_seq, page.limit + 1)
        messages, has_more = found[: page.limit], len(found) > page.limit
        cursor = f"after:{messages[-1].seq}" if messages and has_more else None
        span = shadows.span_behind(messages, after_seq, has_more=has_more)
    else:
        found = await list_before(
            connection, channel_id, page.before_seq, page.limit + 1, floor_seq=standing.floor_seq
        )
        has_more = len(found) > page.limit
        messages = found[-page.limit :]
        cursor = f"before:{messages[0].seq}" if messages and has_more else None
        span = shadows.span_before(messages, page.before_seq, standing.floor_seq, has_more=has_more)
    if standing.has_shadowed and caller.user_id is not None:
        own = await list_own_shadowed(connection, channel_id, caller.user_id, span, page.limit)
        messages = shadows.with_own(messages, own)
    head = orjson.dumps(
        {
            "maxSeq": standing.last_seq,
            "truncatedSeq": standing.floor_seq,
            "nextCursor": cursor,
            "hasMore": has_more,
        }
    )
    listed = b",".join(await views.shown(connection, caller, messages, hides=standing.has_blocked))
    return Answer(b'{"messages":[%b],%b' % (listed, head[1:]))


async def page_beside(
    connection: Connection,
    caller: Principal,
    channel_id: ChannelId,
    message: tuple[MessageId, bool],
    limit: int,
) -> Page:
    """The page behind a message of the timeline, or (`message[1]` False) before it.

    Raises:
        MessageNotFound: none in this channel's timeline.
    """
    message_id, is_behind = message
    found = await store.fetch_message(connection, channel_id, message_id)
    if found is not None and found.seq is not None:
        return Page(found.seq, None, limit) if is_behind else Page(None, found.seq, limit)
    own = None
    if caller.user_id is not None:
        own = await fetch_shadowed_place(connection, channel_id, caller.user_id, message_id)
    if own is None:
        raise MessageNotFound
    return Page(own, None, limit) if is_behind else Page(None, own + 1, limit)


async def get_message(
    connection: Connection, caller: Principal, channel_id: ChannelId, message_id: MessageId
) -> Answer:
    """One message, or its tombstone."""
    message, _ = await require_message(connection, caller, channel_id, message_id)
    (body,) = await views.shown(connection, caller, [message], hides=False)
    return Answer(body)


@dataclass(frozen=True, slots=True)
class Change:
    """Which message, on which base; `base_version` None takes whatever is there."""

    caller: Principal
    channel_id: ChannelId
    message_id: MessageId
    base_version: int | None
    cause: Cause


async def present(connection: Connection, change: Change) -> bytes:
    """The message as it is now, for the repeat of a call that changed it."""
    message, _ = await require_message(connection, change.caller, change.channel_id, change.message_id)
    return data_json(message)


@dataclass(frozen=True, slots=True)
class Edit:
    """A new text. `hlc`: when the client wrote it, by its own clock; mentions beside the text: None keeps what is."""

    text: str
    hlc: str | None = None
    named: Sequence[UserId] | None = None
    named_groups: Sequence[MentionGroup] | None = None

    @property
    def keeps_mentions(self) -> bool:
        """Whether nothing is said of mentions."""
        return self.named is None and self.named_groups is None


async def edit(tx: Transaction, change: Change, wanted: Edit) -> Answer:
    """Write a new text and whom it mentions; the same again changes nothing. Only who is new there hears of it."""
    message, standing = await lock_message(tx, change)
    if not rights.may_edit(message, change.caller.user_id):
        raise Forbidden("Only its author may edit a message.")
    await require_writing(tx, change, message)
    if message.deleted_at is not None:
        raise Conflict("The message is deleted.", extra={"current": _plain(message)})
    if message.text_mode is not None:
        raise WrittenTogether
    check_base(message, change.base_version)
    asked = asked_by_edit(message, wanted.named, wanted.named_groups, wanted.text)
    (there,) = await noting.present(tx, [Asking(message.channel_id, message.user_id, asked)])
    may_call_all = rules.may_call_all(standing.role, by_server=change.caller.user_id is None)
    mentioned = decide(asked, there, standing.config, may_call_all=may_call_all)
    if isinstance(mentioned, ServiceError):
        raise mentioned
    if wanted.text == message.text and (wanted.keeps_mentions or mentioned.are_of(message)):
        return Answer(data_json(message))
    if (refusal := rules.too_long(wanted.text, standing.config)) is not None:
        raise refusal
    if not wanted.text and not message.attachments:
        raise Forbidden("A message without attachments needs a text.", hint="Delete the message instead.")
    only_for = shadows.only_reader(message)
    edited = _edited(message, wanted, mentioned, standing.cv + 1, change.cause.now)
    await detail_store.add_history(tx, message, edited_at=change.cause.now, edited_by=change.caller.user_id)
    data = ChangedMessage(**edited.model_dump(), changed=rules.changed_by_edit(message, edited))
    event = channel_event(MessageUpdated, change.cause, change.channel_id, edited.cv, data, only_for=only_for)
    noted = noting.Noted()
    if only_for is None:
        noted = await noting.note_edit(tx, Said(edited, change.cause, there.deaf))
    await store.update_text(tx, edited, event.id)
    await store.next_cv(tx, change.channel_id)
    await append(tx, [event, *noted.events])
    await noting.write(tx, noted)
    return Answer(data_json(edited))


def _edited(message: Message, wanted: Edit, mentioned: Mentioned, cv: int, now: datetime) -> Message:
    return message.model_copy(
        update={
            "text": wanted.text,
            "mentions": mentioned.users,
            "mention_groups": mentioned.groups,
            "version": message.version + 1,
            "cv": cv,
            "updated_at": now,
            "edited_at": now,
            "hlc": wanted.hlc,
        }
    )


async def lock_message(tx: Transaction, change: Change) -> tuple[Message, store.Standing]:
    """The message and the caller's standing in its channel, read under the channel's lock.

    Raises:
        NotFound: no such channel or message, or none that the caller may know of.
        NotAMember: the channel is known to the caller, who is not in it.
    """
    app_id: AppId = change.caller.app_id
    if not await store.lock_channel(tx, app_id, change.channel_id):
        raise ChannelNotFound
    return await require_message(tx, change.caller, change.channel_id, change.message_id)


async def require_writing(tx: Transaction, change: Change, message: Message) -> None:
    """See that the caller may change what a message says, read under the channel's lock; the app's servers may.

    Raises:
        Banned, BlockedByOther: the caller may not write here.
        NotEditable: what others would see of a shadow-banned user; the user is not told why.
    """
    caller = change.caller
    restraint = await require_free(tx, caller.app_id, change.channel_id, caller.user_id)
    if restraint.is_shadowed and shadows.only_reader(message) is None:
        raise NotEditable


async def require_message(
    connection: Connection, caller: Principal, channel_id: ChannelId, message_id: MessageId
) -> tuple[Message, store.Standing]:
    """A message that the caller may see, perhaps as a tombstone, and the caller's standing in its channel.

    Raises:
        NotFound: no such channel or message, or none that the caller may see.
        NotAMember: the channel is known to the caller, who is not in it.
    """
    standing = await require_readable(connection, caller, channel_id)
    message = await fetch_readable(connection, channel_id, message_id, standing.floor_seq, caller.user_id)
    if message is None:
        raise MessageNotFound
    return message, standing


async def require_readable(
    connection: Connection, caller: Principal, channel_id: ChannelId
) -> store.Standing:
    """The caller's standing in a channel whose messages it may read.

    Raises:
        ChannelNotFound: none, or none that the caller may know of.
        NotAMember: the channel is known to the caller, who is not in it.
    """
    standing = await store.fetch_standing(connection, caller.app_id, channel_id, caller.user_id)
    if standing is None:
        raise ChannelNotFound
    if caller.user_id is not None and standing.role is None:
        if standing.hidden:
            raise ChannelNotFound
        raise NotAMember(channel_id, standing.channel_type)
    return standing


def check_base(message: Message, base_version: int | None) -> None:
    """Raises VersionConflict when a change was made from another version than the present one."""
    if base_version is not None and base_version != message.version:
        raise VersionConflict(_plain(message))


def _plain(message: Message) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = orjson.loads(data_json(message))
    return plain


def _with_duplicate(data: bytes, *, duplicate: bool) -> bytes:
    return data[:-1] + (b',"duplicate":true}' if duplicate else b',"duplicate":false}')
