"""Messages: the resource as the API returns it without per-viewer fields, and the events of its life.

Written by chat's messages package in the transaction that changes the message; the same JSON is the HTTP reply.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MessageId, PollId, UploadId, UserId
from chatsdk_contracts.wire import SINCE, Custom, Timestamp, WireModel

MessageType = Literal["regular", "system", "deleted"]
MessageStatus = Literal["sent", "held", "rejected"]
AttachmentType = Literal["image", "video", "audio", "file", "giphy", "voicenote"]
MentionGroup = Literal["channel", "here"]
TextMode = Literal["ot", "crdt"]


class Attachment(WireModel):
    """Something shown with a message. Sizes in bytes, duration in milliseconds, waveform in 0..1."""

    type: AttachmentType | str
    url: str
    name: str | None = None
    title: str | None = None
    mime_type: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    waveform: list[float] | None = None
    thumbnail_url: str | None = None
    blurhash: str | None = None
    upload_id: UploadId | None = None
    custom: Custom = Field(default_factory=dict)


class LinkPreview(WireModel):
    """What a link in the text points to, fetched by the server."""

    url: str
    title: str | None = None
    description: str | None = None
    image_url: str | None = None
    site_name: str | None = None


class Message(WireModel):
    """A message as everybody sees it.

    `seq` is dense per channel and null for thread replies, which carry `thread_seq`, dense per parent; both are null
    while a message is held. `cv` is the channel's version at the message's latest change, `version` counts edits and
    deletion from 1. A deleted message is a tombstone (`tombstone`).
    """

    id: MessageId
    channel_id: ChannelId
    user_id: UserId
    type: MessageType = "regular"
    text: str
    attachments: list[Attachment] = Field(default_factory=list)
    seq: int | None = None
    thread_seq: int | None = None
    cv: int
    version: int = 1
    status: MessageStatus = "sent"
    client_msg_id: str | None = None
    parent_id: MessageId | None = None
    reply_to_id: MessageId | None = None
    silent: bool = False
    custom: Custom = Field(default_factory=dict)
    mentions: list[UserId] = Field(default_factory=list)
    mention_groups: list[MentionGroup | str] = Field(default_factory=list)
    link_previews: list[LinkPreview] = Field(default_factory=list)
    poll_id: PollId | None = None
    reply_count: int = 0
    last_reply_at: Timestamp | None = None
    reaction_counts: dict[str, int] = Field(default_factory=dict)
    pinned: bool = False
    pinned_at: Timestamp | None = None
    pinned_by: UserId | None = None
    created_at: Timestamp
    updated_at: Timestamp
    edited_at: Timestamp | None = None
    deleted_at: Timestamp | None = None
    deleted_by: UserId | None = None
    # The hybrid logical clock of the client that wrote what the message says now, if it keeps one.
    hlc: str | None = Field(default=None, json_schema_extra={SINCE: "0.2"})
    # How several people write the text at once; null: its author edits it.
    text_mode: TextMode | None = Field(default=None, json_schema_extra={SINCE: "0.2"})


class TextOp(WireModel):
    """What was done to a collaborative text: who has version `version - 1` applies `ops`, and has `version`.

    In mode ot an op is `{"retain": n}`, `{"insert": "..."}` or `{"delete": n}`, in code points; in mode crdt it is a Yjs
    update (version 1) in base64.
    """

    client_op_id: str
    user_id: UserId
    version: int
    ops: list[dict[str, int | str] | str]


class HiddenMessage(WireModel):
    """What a reader gets in the place of a message whose author they have blocked: its place, and nothing of it."""

    id: MessageId
    channel_id: ChannelId
    seq: int | None = None
    thread_seq: int | None = None
    parent_id: MessageId | None = None
    cv: int
    hidden: Literal[True] = True


def hidden(message: Message) -> HiddenMessage:
    """A message as those see it who have blocked its author."""
    return HiddenMessage(
        id=message.id,
        channel_id=message.channel_id,
        seq=message.seq,
        thread_seq=message.thread_seq,
        parent_id=message.parent_id,
        cv=message.cv,
    )


class ChangedMessage(Message):
    """A message and the names of the fields that changed."""

    changed: list[str]
    # The operation that changed a collaborative text.
    text_op: TextOp | None = Field(default=None, json_schema_extra={SINCE: "0.2"})


def tombstone(message: Message, *, deleted_at: datetime, deleted_by: UserId | None, cv: int) -> Message:
    """What remains of a deleted message: its place, author and thread, nothing of what was said."""
    return Message(
        id=message.id,
        channel_id=message.channel_id,
        user_id=message.user_id,
        type="deleted",
        text="",
        seq=message.seq,
        thread_seq=message.thread_seq,
        cv=cv,
        version=message.version + 1,
        status=message.status,
        client_msg_id=message.client_msg_id,
        parent_id=message.parent_id,
        reply_to_id=message.reply_to_id,
        silent=message.silent,
        reply_count=message.reply_count,
        last_reply_at=message.last_reply_at,
        created_at=message.created_at,
        updated_at=deleted_at,
        edited_at=message.edited_at,
        deleted_at=deleted_at,
        deleted_by=deleted_by,
    )


class MessageNew(Event):
    """A message was sent: to the channel, to a thread, or by approval of a held one."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.new"] = "message.new"
    data: Message


class MessageUpdated(Event):
    """A message was edited."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.updated"] = "message.updated"
    data: ChangedMessage


class MessageDeleted(Event):
    """A message was deleted; `data` is its tombstone."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.deleted"] = "message.deleted"
    data: Message


class MessageUndeleted(Event):
    """A deleted message was restored."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.undeleted"] = "message.undeleted"
    data: Message


class MessagePurged(Event):
    """A message was erased everywhere; receivers drop every copy. `data` is its tombstone."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.purged"] = "message.purged"
    data: Message


class MessagePinned(Event):
    """A message was pinned to its channel."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.pinned"] = "message.pinned"
    data: Message


class MessageUnpinned(Event):
    """A message was unpinned."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["message.unpinned"] = "message.unpinned"
    data: Message
