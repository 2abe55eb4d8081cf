"""The lines of an import, one model for each kind. What an export writes is taken; what the server makes is dropped."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from chat_service.channels.requests import ConfigFields
from chat_service.messages.attachment_input import MOST_ATTACHMENTS, AttachmentInput
from chat_service.wire_input import (
    LONGEST_TEXT,
    CustomObject,
    Description,
    Email,
    ImageUrl,
    InputTime,
    InputUserId,
    Line,
    Name,
    RequestModel,
    SafeText,
)
from chatsdk_contracts.channels import ChannelRole, ChannelType
from chatsdk_contracts.messages import TextMode

ForeignId = Annotated[Line, Field(min_length=1, max_length=255)]
"""What another system calls something; a UUID stays what it is."""

# Fields that our exports have and that nobody may choose.
_SERVER_MADE: Final[dict[str, frozenset[str]]] = {
    "user": frozenset(),
    "channel": frozenset({"memberCount", "messageCount", "updatedAt", "workspaceId", "deletedAt"}),
    "member": frozenset(
        {
            "channelName",
            "channelType",
            "lastReadSeq",
            "readAt",
            "mutedUntil",
            "starred",
            "hidden",
            "clearedSeq",
            "lastSentAt",
        }
    ),
    "message": frozenset(
        {
            "seq",
            "threadSeq",
            "version",
            "clientMsgId",
            "pollId",
            "mentions",
            "mentionGroups",
            "replyCount",
            "reactionCounts",
            "pinnedAt",
            "pinnedBy",
            "updatedAt",
            "deletedBy",
            "status",
        }
    ),
    "reaction": frozenset({"channelId"}),
}


class _ImportLine(RequestModel):
    @model_validator(mode="before")
    @classmethod
    def _without_what_the_server_makes(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        dropped = _SERVER_MADE.get(str(given.get("kind")), frozenset())
        return {name: value for name, value in given.items() if name not in dropped}


class UserLine(_ImportLine):
    """A user; one who is there already stays as is."""

    kind: Literal["user"]
    id: InputUserId
    name: Name | None = None
    image: ImageUrl | None = None
    email: Email | None = None
    custom: CustomObject | None = None
    created_at: InputTime | None = None
    updated_at: InputTime | None = None
    deactivated_at: InputTime | None = None


class ChannelLine(_ImportLine):
    """A channel; `memberIds` are in it from its beginning, who created it as its owner."""

    kind: Literal["channel"]
    id: ForeignId
    type: ChannelType = "messaging"
    name: Name | None = None
    description: Description | None = None
    image: ImageUrl | None = None
    custom: CustomObject | None = None
    config: ConfigFields | None = None
    created_by: InputUserId | None = None
    member_ids: Annotated[tuple[InputUserId, ...], Field(max_length=500)] = ()
    external_id: ForeignId | None = None
    frozen: bool = False
    created_at: InputTime | None = None


class MemberLine(_ImportLine):
    """A member of a channel."""

    kind: Literal["member"]
    channel_id: ForeignId
    user_id: InputUserId
    role: ChannelRole = "member"
    joined_at: InputTime | None = None


class MessageLine(_ImportLine):
    """A message, or a reply to one, with its own time; a deleted one is a tombstone."""

    kind: Literal["message"]
    id: ForeignId
    channel_id: ForeignId
    user_id: InputUserId
    type: Literal["regular", "system", "deleted"] = "regular"
    text: Annotated[SafeText, Field(max_length=LONGEST_TEXT)] = ""
    attachments: Annotated[list[AttachmentInput], Field(max_length=MOST_ATTACHMENTS)] = Field(
        default_factory=list
    )
    text_mode: TextMode | None = None
    parent_id: ForeignId | None = None
    reply_to_id: ForeignId | None = None
    silent: bool = False
    custom: CustomObject = Field(default_factory=dict)
    created_at: InputTime
    edited_at: InputTime | None = None
    deleted_at: InputTime | None = None

    @model_validator(mode="after")
    def _is_written_by_people(self) -> MessageLine:
        if self.type == "system" and self.text_mode is not None:
            message = "textMode: a system message is the app's word alone; leave textMode out"
            raise ValueError(message)
        return self


class ReactionLine(_ImportLine):
    """A reaction to a message."""

    kind: Literal["reaction"]
    message_id: ForeignId
    user_id: InputUserId
    type: Annotated[Line, Field(min_length=1, max_length=64)]
    created_at: InputTime | None = None


ImportLine = UserLine | ChannelLine | MemberLine | MessageLine | ReactionLine
