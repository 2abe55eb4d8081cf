"""Pure decisions about sends: who may, what is a repeat, which numbers it gets.

Everything here is decided on what was read after the channel's row was locked; nothing else decides.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType

import orjson

from chat_service.errors import (
    ChannelFrozen,
    ChannelNotFound,
    NotAMember,
    QuotesOff,
    RepliesOff,
    SlowMode,
    UploadsOff,
)
from chat_service.mentions import rules as mentions
from chat_service.mentions.rules import NOBODY, Asked, Mentioned, Present
from chat_service.moderation.restraints import FREE, Restraint
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId, new_id
from chatsdk_contracts.messages import Attachment, Message, MessageType, TextMode
from chatsdk_contracts.wire import to_epoch_ms
from chatsdk_runtime.errors import Forbidden, IdempotencyMismatch, ServiceError, invalid_field
from chatsdk_runtime.idempotency import IdempotentCall

PRIVILEGED_ROLES = frozenset({"owner", "admin", "moderator"})
FROZEN_EXEMPT_ROLES = frozenset({"owner", "admin"})
_AHEAD_MS = 60_000
_MADE_HERE = "srv-"


@dataclass(frozen=True, slots=True)
class Send:
    """One send, checked at the edge, as it waits for the writer. `by_server` sends come with an API key.

    `message_id` and `hlc` are given by clients that make them themselves: those that work without a connection.
    """

    app_id: AppId
    channel_id: ChannelId
    user_id: UserId
    client_msg_id: str
    text: str
    attachments: Sequence[Attachment]
    custom: Mapping[str, Any]
    parent_id: MessageId | None
    reply_to_id: MessageId | None
    silent: bool
    request_hash: bytes
    traceparent: str | None
    by_server: bool = False
    idempotency: IdempotentCall | None = None
    message_id: MessageId | None = None
    hlc: str | None = None
    type: MessageType = "regular"
    asked: Asked = NOBODY
    text_mode: TextMode | None = None
    # It has to wait for a moderator: stored, without a place in the channel.
    held: bool = False
    # Whether it may wait at all: what comes with it, as a poll does, cannot.
    may_wait: bool = True


# What the writer and the edit take: made by the gate alone (screening/gate.py), so that nothing is written unseen.
ScreenedSend = NewType("ScreenedSend", Send)
ScreenedText = NewType("ScreenedText", str)


@dataclass(frozen=True, slots=True)
class ScreenedOutcome:
    """What a text may come to by an operation on it; None is whatever it comes to."""

    text: str | None = None

    def allows(self, text: str) -> bool:
        """Whether it is what was screened."""
        return self.text in {None, text}


@dataclass(slots=True)
class ChannelHead:
    """A locked channel's counters; they grow as sends are accepted. `is_told`: members hear of one of them."""

    id: ChannelId
    app_id: AppId
    type: str
    last_seq: int
    cv: int
    frozen: bool
    deleted: bool
    config: ChannelConfig = field(default_factory=ChannelConfig)
    workspace_id: str | None = None
    truncated_seq: int = 0
    added: int = 0
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class SendFacts:
    """What the database says about one send, read under the channel's lock.

    `deleted_before`: when its author deleted it, though it had not arrived yet.
    """

    role: str | None
    stored: Message | None
    stored_hash: bytes | None
    parent_last_seq: int | None
    parent_is_top: bool
    reply_to_found: bool
    id_is_taken: bool = False
    deleted_before: datetime | None = None
    # Where the thread's first message and the quoted one stand in the timeline: what is truncated is not there.
    parent_seq: int | None = None
    reply_to_seq: int | None = None
    last_sent_at: datetime | None = None
    in_workspace: bool = False
    present: Present = field(default_factory=Present)
    restraint: Restraint = FREE
    parent_is_shadowed: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """To be written: the message with its numbers, and who of those it mentions has blocked or muted its author.

    `shadowed_after`, not None: only its author sees it, behind this seq.
    """

    send: Send
    message: Message
    deaf: frozenset[UserId] = frozenset()
    shadowed_after: int | None = None


@dataclass(frozen=True, slots=True)
class Repeat:
    """Sent before: the message as it is now."""

    message: Message


Verdict = Accepted | Repeat | ServiceError


@dataclass(slots=True)
class Decisions:
    """The state of deciding one batch: what was accepted before is seen by what comes after."""

    now: datetime
    accepted: dict[tuple[ChannelId, UserId, str], Accepted] = field(default_factory=dict)
    threads: dict[MessageId, int] = field(default_factory=dict)
    ids: set[MessageId] = field(default_factory=set)
    # Who sent in a channel in slow mode, to be remembered.
    slowed: set[tuple[ChannelId, UserId]] = field(default_factory=set)

    def decide(self, send: Send, channel: ChannelHead, facts: SendFacts) -> Verdict:
        """Take one send: the repeat comes first, before every right and limit."""
        if channel.app_id != send.app_id or channel.deleted:
            return ChannelNotFound()
        key = (send.channel_id, send.user_id, send.client_msg_id)
        earlier = self.accepted.get(key)
        if earlier is not None:
            return self._repeat(send, earlier.message, earlier.send.request_hash)
        if facts.stored is not None and facts.stored_hash is not None:
            return self._repeat(send, facts.stored, facts.stored_hash)
        refusal = _refusal(send, channel, facts) or self._too_soon(send, channel, facts)
        if refusal is not None:
            return refusal
        mentioned = mentions.decide(
            send.asked,
            facts.present,
            channel.config,
            may_call_all=may_call_all(facts.role, by_server=send.by_server),
        )
        if isinstance(mentioned, ServiceError):
            return mentioned
        if facts.deleted_before is not None and send.message_id is not None:
            return Repeat(
                forestalled(
                    channel.id, send.user_id, send.message_id, cv=channel.cv, deleted_at=facts.deleted_before
                )
            )
        if send.message_id is not None:
            if facts.id_is_taken or send.message_id in self.ids:
                return invalid_field("id", "taken", "another message has this id", hint="Make a new UUIDv7.")
            self.ids.add(send.message_id)
        if channel.config.slow_mode_s:
            self.slowed.add((send.channel_id, send.user_id))
        accepted = self._taken(send, channel, facts, mentioned)
        self.accepted[key] = accepted
        return accepted

    def _repeat(self, send: Send, message: Message, request_hash: bytes) -> Verdict:
        if send.request_hash != request_hash:
            return IdempotencyMismatch(
                "This clientMsgId was used for a message with other content.",
                hint="Use a new clientMsgId for a new message.",
            )
        return Repeat(message)

    def _too_soon(self, send: Send, channel: ChannelHead, facts: SendFacts) -> ServiceError | None:
        """Slow mode: one message per member and interval, whoever runs the channel and its servers excepted."""
        interval_s = channel.config.slow_mode_s
        if not interval_s or send.by_server or facts.role in PRIVILEGED_ROLES:
            return None
        last = self.now if (send.channel_id, send.user_id) in self.slowed else facts.last_sent_at
        if last is None:
            return None
        left_s = interval_s - (self.now - last).total_seconds()
        # Never longer than the interval, should the clock have been set back.
        return SlowMode(min(math.ceil(left_s), interval_s)) if left_s > 0 else None

    def _taken(self, send: Send, channel: ChannelHead, facts: SendFacts, mentioned: Mentioned) -> Accepted:
        if send.held:
            # Nothing of the channel moves: what waits gets its place when it is approved, of a shadow-banned user too.
            return Accepted(send, self._message(send, channel, mentioned, (None, None)), facts.present.deaf)
        channel.cv += 1
        if _is_for_nobody(send, facts):
            # Without a place among those of all: nobody else's numbers have a hole where it stands.
            message = self._message(send, channel, mentioned, (None, None))
            return Accepted(send, message, shadowed_after=channel.last_seq)
        numbers = self._numbers(send, channel, facts)
        return Accepted(send, self._message(send, channel, mentioned, numbers), facts.present.deaf)

    def _numbers(self, send: Send, channel: ChannelHead, facts: SendFacts) -> tuple[int | None, int | None]:
        """The places in the timeline and in the thread: one of both."""
        channel.is_told = True
        seq, thread_seq = None, None
        if send.parent_id is None:
            channel.last_seq += 1
            channel.added += 1
            seq = channel.last_seq
        else:
            thread_seq = self.threads.get(send.parent_id, facts.parent_last_seq or 0) + 1
            self.threads[send.parent_id] = thread_seq
        return seq, thread_seq

    def _message(
        self,
        send: Send,
        channel: ChannelHead,
        mentioned: Mentioned,
        numbers: tuple[int | None, int | None],
    ) -> Message:
        seq, thread_seq = numbers
        return Message(
            id=send.message_id or MessageId(new_id()),
            channel_id=send.channel_id,
            user_id=send.user_id,
            type=send.type,
            text=send.text,
            attachments=list(send.attachments),
            seq=seq,
            thread_seq=thread_seq,
            cv=channel.cv,
            status="held" if send.held else "sent",
            client_msg_id=send.client_msg_id,
            parent_id=send.parent_id,
            reply_to_id=send.reply_to_id,
            silent=send.silent,
            custom=dict(send.custom),
            mentions=mentioned.users,
            mention_groups=list(mentioned.groups),
            hlc=send.hlc,
            text_mode=send.text_mode,
            created_at=self.now,
            updated_at=self.now,
        )


def _refusal(send: Send, channel: ChannelHead, facts: SendFacts) -> ServiceError | None:
    if facts.role is None:
        # Who may not know of a channel learns nothing of it.
        hidden = is_hidden(channel.type, channel.config) or (
            channel.workspace_id is not None and not facts.in_workspace
        )
        return ChannelNotFound() if hidden else NotAMember(channel.id, channel.type)
    # A system message is the app's word, whoever is named in it.
    if facts.restraint.refusal is not None and not _is_of_app(send):
        return facts.restraint.refusal
    if channel.frozen and not send.by_server and facts.role not in FROZEN_EXEMPT_ROLES:
        return ChannelFrozen()
    if send.type == "system" and not send.by_server:
        return Forbidden(
            "A user may not send system messages.", hint="Send it from the app's server with its X-API-Key."
        )
    return too_long(send.text, channel.config) or _reference_refusal(send, channel, facts)


def _is_of_app(send: Send) -> bool:
    return send.by_server and send.type == "system"


def _is_for_nobody(send: Send, facts: SendFacts) -> bool:
    """Whether only its author will see it. What stands in a thread that nobody sees is seen by nobody either."""
    return facts.parent_is_shadowed or (facts.restraint.is_shadowed and not _is_of_app(send))


def _reference_refusal(send: Send, channel: ChannelHead, facts: SendFacts) -> ServiceError | None:
    if send.parent_id is not None and not channel.config.replies:
        return RepliesOff()
    if send.reply_to_id is not None and not channel.config.quotes:
        return QuotesOff()
    if not channel.config.uploads and any(one.upload_id is not None for one in send.attachments):
        return UploadsOff()
    if send.parent_id is not None and (
        facts.parent_last_seq is None or is_truncated(facts.parent_seq, channel.truncated_seq)
    ):
        return invalid_field("parentId", "not_found", "no such message in this channel")
    if send.parent_id is not None and not facts.parent_is_top:
        return invalid_field("parentId", "is_reply", "is itself a reply; reply to the thread's first message")
    if send.reply_to_id is not None and (
        not facts.reply_to_found or is_truncated(facts.reply_to_seq, channel.truncated_seq)
    ):
        return invalid_field("replyToId", "not_found", "no such message in this channel")
    return None


def forestalled(
    channel_id: ChannelId, user_id: UserId, message_id: MessageId, *, cv: int, deleted_at: datetime
) -> Message:
    """What stands for a message that its author deleted before it arrived: a tombstone without a place."""
    return Message(
        id=message_id,
        channel_id=channel_id,
        user_id=user_id,
        type="deleted",
        text="",
        cv=cv,
        created_at=deleted_at,
        updated_at=deleted_at,
        deleted_at=deleted_at,
        deleted_by=user_id,
    )


def is_hidden(channel_type: str, config: ChannelConfig) -> bool:
    """Whether the channel does not exist for those who are not in it."""
    return channel_type == "private" or config.private


def is_truncated(seq: int | None, truncated_seq: int) -> bool:
    """Whether a message of the timeline belongs to the history that is shown to nobody."""
    return seq is not None and seq <= truncated_seq


def too_long(text: str, config: ChannelConfig) -> ServiceError | None:
    """The refusal of a text that is longer than the channel takes."""
    if len(text) <= config.max_message_length:
        return None
    return invalid_field("text", "too_long", f"at most {config.max_message_length} characters here")


def request_hash(draft: Mapping[str, Any]) -> bytes:
    """What was asked, independent of the order of keys: a repeat must ask the same."""
    return hashlib.sha256(orjson.dumps(draft, option=orjson.OPT_SORT_KEYS)).digest()


def client_id_for(given: str | None, call: IdempotentCall | None) -> str:
    """The client's own id; else one made from its Idempotency-Key, so that the repeat finds the row; else a new one."""
    if given is not None:
        return given
    if call is not None:
        return "key-" + hashlib.sha256(f"{call.scope}\x1f{call.key}".encode()).hexdigest()[:40]
    return f"{_MADE_HERE}{new_id()}"


def may_be_repeat(client_msg_id: str) -> bool:
    """Whether this id can have come before; one that was made here for a call without any cannot."""
    return not client_msg_id.startswith(_MADE_HERE)


def clamped_hlc(given: str | None, now: datetime) -> str | None:
    """A client's hybrid time, set back to ours when its clock is more than a minute ahead: nobody wins by that."""
    if given is None:
        return None
    latest_ms = to_epoch_ms(now) + _AHEAD_MS
    ms, rest = given.split(":", 1)
    return given if int(ms) <= latest_ms else f"{latest_ms:013d}:{rest}"


def may_call_all(role: str | None, *, by_server: bool) -> bool:
    """Who may mention a whole channel: a moderator or above, or the app's servers."""
    return by_server or role in PRIVILEGED_ROLES
