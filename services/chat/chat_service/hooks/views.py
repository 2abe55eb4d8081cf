"""A before-send hook as it is shown, and what it is asked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chatsdk_contracts.channels import Channel
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Attachment
from chatsdk_contracts.users import User
from chatsdk_contracts.wire import Custom, Timestamp, WireModel

OnFailure = Literal["open", "closed"]
Kind = Literal["send", "edit", "poll"]


class BeforeSendHook(WireModel):
    """Where an app judges what is about to be said, within how many milliseconds, and what follows if it cannot."""

    url: str
    timeout_ms: int
    on_failure: OnFailure | str
    on_failure_by_type: dict[str, OnFailure | str]
    enabled: bool
    created_at: Timestamp
    updated_at: Timestamp


class NewHook(BeforeSendHook):
    """A hook just made; `secret` is shown once."""

    secret: str


class NewSecret(WireModel):
    """A new secret, shown once; the previous one signs along until `previous_valid_until`."""

    secret: str
    rotated_at: Timestamp
    previous_valid_until: Timestamp | None


class DraftedPoll(WireModel):
    """The poll that is about to be attached to a message."""

    question: str
    options: list[str]


class Draft(WireModel):
    """What is about to be said. Nothing of it is stored yet."""

    id: MessageId
    channel_id: ChannelId
    user_id: UserId
    text: str
    attachments: list[Attachment] = Field(default_factory=list)
    custom: Custom = Field(default_factory=dict)
    parent_id: MessageId | None = None
    reply_to_id: MessageId | None = None
    silent: bool = False
    poll: DraftedPoll | None = None


class Question(WireModel):
    """The body of a call: what is about to be said where and by whom; of an edit also what the message says now."""

    type: Literal["message.before_send"] = "message.before_send"
    id: str
    kind: Kind
    time: Timestamp
    app_id: AppId
    message: Draft
    previous_text: str | None = None
    channel: Channel
    sender: User | None = None


class HookAnswer(WireModel):
    """What a hook answers. `text`, `attachments` and `custom` belong to `change`; `reason` is told to the sender."""

    action: Literal["accept", "change", "reject", "hold"]
    text: str | None = None
    attachments: list[Attachment] | None = None
    custom: dict[str, Any] | None = None
    reason: str | None = None
