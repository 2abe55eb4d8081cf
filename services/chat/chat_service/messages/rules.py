"""Pure decisions about sends: who may, what is a repeat, which numbers it gets.

Everything here is decided on what was read after the channel's row was locked; nothing else decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from chat_service.errors import ChannelFrozen, ChannelNotFound, NotAMember
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId, new_id
from chatsdk_contracts.messages import Attachment, Message
from chatsdk_runtime.errors import IdempotencyMismatch, ServiceError, invalid_field
from chatsdk_runtime.idempotency import IdempotentCall

PRIVILEGED_ROLES = frozenset({"owner", "admin", "moderator"})
FROZEN_EXEMPT_ROLES = frozenset({"owner", "admin"})


@dataclass(frozen=True, slots=True)
class Send:
    """One send, checked at the edge, as it waits for the writer. `by_server` sends come with an API key."""

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


@dataclass(slots=True)
class ChannelHead:
    """A locked channel's counters; they grow as sends are accepted."""

    id: ChannelId
    app_id: AppId
    type: str
    last_seq: int
    cv: int
    frozen: bool
    deleted: bool
    added: int = 0


@dataclass(frozen=True, slots=True)
class SendFacts:
    """What the database says about one send, read under the channel's lock."""

    role: str | None
    stored: Message | None
    stored_hash: bytes | None
    parent_last_seq: int | None
    parent_is_top: bool
    reply_to_found: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """To be written: the message with its numbers."""

    send: Send
    message: Message


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
        refusal = _refusal(send, channel, facts)
        if refusal is not None:
            return refusal
        accepted = Accepted(send, self._numbered(send, channel, facts))
        self.accepted[key] = accepted
        return accepted

    def _repeat(self, send: Send, message: Message, request_hash: bytes) -> Verdict:
        if send.request_hash != request_hash:
            return IdempotencyMismatch(
                "This clientMsgId was used for a message with other content.",
                hint="Use a new clientMsgId for a new message.",
            )
        return Repeat(message)

    def _numbered(self, send: Send, channel: ChannelHead, facts: SendFacts) -> Message:
        channel.cv += 1
        seq, thread_seq = None, None
        if send.parent_id is None:
            channel.last_seq += 1
            channel.added += 1
            seq = channel.last_seq
        else:
            thread_seq = self.threads.get(send.parent_id, facts.parent_last_seq or 0) + 1
            self.threads[send.parent_id] = thread_seq
        return Message(
            id=MessageId(new_id()),
            channel_id=send.channel_id,
            user_id=send.user_id,
            text=send.text,
            attachments=list(send.attachments),
            seq=seq,
            thread_seq=thread_seq,
            cv=channel.cv,
            client_msg_id=send.client_msg_id,
            parent_id=send.parent_id,
            reply_to_id=send.reply_to_id,
            silent=send.silent,
            custom=dict(send.custom),
            created_at=self.now,
            updated_at=self.now,
        )


def _refusal(send: Send, channel: ChannelHead, facts: SendFacts) -> ServiceError | None:
    if facts.role is None:
        # Who may not know of a channel learns nothing of it.
        return ChannelNotFound() if channel.type == "private" else NotAMember(channel.id, channel.type)
    if channel.frozen and not send.by_server and facts.role not in FROZEN_EXEMPT_ROLES:
        return ChannelFrozen()
    if send.parent_id is not None and facts.parent_last_seq is None:
        return invalid_field("parentId", "not_found", "no such message in this channel")
    if send.parent_id is not None and not facts.parent_is_top:
        return invalid_field("parentId", "is_reply", "is itself a reply; reply to the thread's first message")
    if send.reply_to_id is not None and not facts.reply_to_found:
        return invalid_field("replyToId", "not_found", "no such message in this channel")
    return None


def request_hash(draft: Mapping[str, Any]) -> bytes:
    """What was asked, independent of the order of keys: a repeat must ask the same."""
    return hashlib.sha256(orjson.dumps(draft, option=orjson.OPT_SORT_KEYS)).digest()


def client_id_for(given: str | None, call: IdempotentCall | None) -> str:
    """The client's own id; else one made from its Idempotency-Key, so that the repeat finds the row; else a new one."""
    if given is not None:
        return given
    if call is not None:
        return "key-" + hashlib.sha256(f"{call.scope}\x1f{call.key}".encode()).hexdigest()[:40]
    return "srv-" + new_id()


def may_edit(message: Message, user_id: UserId | None) -> bool:
    """Only its author edits a message; the app's servers (no user) edit any."""
    return user_id is None or message.user_id == user_id


def may_delete(message: Message, user_id: UserId | None, role: str | None) -> bool:
    """Its author, a moderator or above, or the app's servers."""
    return user_id is None or message.user_id == user_id or role in PRIVILEGED_ROLES


def redacted(body: bytes) -> bytes:
    """An event of a message, or of its poll, without what was said; envelope, id, place and version stay."""
    event = orjson.loads(body)
    if event["type"].startswith("poll."):
        options = [{**option, "text": ""} for option in event["data"]["options"]]
        event["data"].update(question="", options=options)
        return orjson.dumps(event)
    event["data"].update(text="", attachments=[], custom={}, mentions=[], mentionGroups=[], linkPreviews=[])
    return orjson.dumps(event)
