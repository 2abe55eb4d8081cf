"""Bodies of the message routes, and what a send becomes of one: the same for HTTP, sockets and kept operations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from fastapi import Request
from pydantic import Field, model_validator

from chat_service.auth.principal import Principal
from chat_service.doors import acting_user, cause_of, require_channel_id, require_message_id, utc_now
from chat_service.events.log import Cause
from chat_service.mentions.rules import MOST_MENTIONS, asked_by
from chat_service.messages import rules
from chat_service.messages.actions import Change
from chat_service.messages.attachment_input import MOST_ATTACHMENTS, AttachmentInput
from chat_service.messages.editing import Edit
from chat_service.messages.rules import Send
from chat_service.wire_input import (
    LONGEST_TEXT,
    ClientMadeId,
    CustomObject,
    HybridTime,
    InputUserId,
    Line,
    RequestModel,
    SafeText,
    uuid_in_path,
)
from chatsdk_contracts.ids import ChannelId, MessageId
from chatsdk_contracts.messages import Attachment, MentionGroup
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.idempotency import IdempotentCall

Text = Annotated[SafeText, Field(max_length=LONGEST_TEXT)]
MentionedUsers = Annotated[tuple[InputUserId, ...], Field(max_length=MOST_MENTIONS)]
MentionedGroups = Annotated[tuple[MentionGroup, ...], Field(max_length=len(get_args(MentionGroup)))]


class SendMessage(RequestModel):
    """A message to be sent: text, attachments, or both; or a text that several people are to write."""

    text: Text = ""
    attachments: Annotated[list[AttachmentInput], Field(max_length=MOST_ATTACHMENTS)] = Field(
        default_factory=list
    )
    id: ClientMadeId | None = None
    client_msg_id: Annotated[Line, Field(min_length=1, max_length=255)] | None = None
    parent_id: str | None = None
    reply_to_id: str | None = None
    hlc: HybridTime | None = None
    silent: bool = False
    type: Literal["regular", "system"] = "regular"
    text_mode: Literal["plain", "ot", "crdt"] = "plain"
    custom: CustomObject = Field(default_factory=dict)
    mentioned_user_ids: MentionedUsers = ()
    mention_groups: MentionedGroups = ()
    user_id: InputUserId | None = None

    @model_validator(mode="after")
    def _says_something(self) -> SendMessage:
        if self.text_mode != "plain":
            # Several people begin with an empty page as well.
            if self.type == "system":
                message = "textMode: a system message is the app's word alone; leave textMode out"
                raise ValueError(message)
            return self
        if not self.text and not self.attachments:
            message = "text or attachments: at least one is needed"
            raise ValueError(message)
        return self


class EditMessage(RequestModel):
    """A new text for a message, and the version that it was made from.

    Mentions asked for beside the text stay as they are unless they are given, then these are all.
    """

    text: Text
    mentioned_user_ids: MentionedUsers | None = None
    mention_groups: MentionedGroups | None = None
    base_version: Annotated[int, Field(ge=1)] | None = None
    hlc: HybridTime | None = None


def send_of(
    body: SendMessage, caller: Principal, channel_id: ChannelId, cause: Cause, call: IdempotentCall | None
) -> Send:
    """The send that a body asks for.

    Raises:
        InvalidInput: a reference that is no id, or an author that the caller may not name.
    """
    asked: dict[str, Any] = body.model_dump(
        mode="json", exclude={"client_msg_id", "user_id", "id", "hlc"}, exclude_defaults=True
    )
    return Send(
        app_id=caller.app_id,
        channel_id=channel_id,
        user_id=acting_user(caller, body.user_id),
        client_msg_id=rules.client_id_for(body.client_msg_id or body.id, call),
        text=body.text,
        attachments=[Attachment(**one.model_dump()) for one in body.attachments],
        custom=body.custom,
        parent_id=_message_reference(body.parent_id, "parentId"),
        reply_to_id=_message_reference(body.reply_to_id, "replyToId"),
        silent=body.silent,
        request_hash=rules.request_hash(asked),
        traceparent=cause.traceparent,
        by_server=caller.user_id is None,
        idempotency=call,
        message_id=body.id,
        hlc=rules.clamped_hlc(body.hlc, cause.now),
        type=body.type,
        asked=asked_by(body.mentioned_user_ids, body.mention_groups, body.text),
        text_mode=None if body.text_mode == "plain" else body.text_mode,
    )


def edit_of(body: EditMessage, now: datetime) -> Edit:
    """The edit that a body asks for."""
    return Edit(body.text, rules.clamped_hlc(body.hlc, now), body.mentioned_user_ids, body.mention_groups)


def change_of(
    request: Request, caller: Principal, channel_id: str, message_id: str, base_version: int | None = None
) -> Change:
    """The change to the message that a path names.

    Raises:
        NotFound: no channel or message can have such an id.
    """
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    return Change(caller, require_channel_id(channel_id), require_message_id(message_id), base_version, cause)


def _message_reference(text: str | None, path: str) -> MessageId | None:
    if text is None:
        return None
    canonical = uuid_in_path(text)
    if canonical is None:
        raise invalid_field(path, "invalid_id", "is not a message id (a UUID)")
    return MessageId(canonical)
