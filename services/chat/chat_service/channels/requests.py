"""Bodies of the channel routes."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.wire_input import (
    LONGEST_TEXT,
    CustomObject,
    Description,
    ImageUrl,
    InputUserId,
    Line,
    Name,
    RequestModel,
)
from chatsdk_contracts.channels import ChannelRole, ChannelType

MOST_MEMBERS_AT_ONCE = 100


class ConfigFields(RequestModel):
    """What a channel allows; what is left out stays as it is."""

    typing_events: bool = True
    read_events: bool = True
    reactions: bool = True
    replies: bool = True
    private: bool = False
    polls: bool = True
    uploads: bool = True
    quotes: bool = True
    mentions: bool = True
    slow_mode_s: Annotated[int, Field(ge=0, le=3_600)] = 0
    max_message_length: Annotated[int, Field(ge=1, le=LONGEST_TEXT)] = 10_000
    link_previews: bool = False


class CreateChannel(RequestModel):
    """A new channel. The creator is added as owner; a nameless `messaging` channel of two is a direct one."""

    type: ChannelType = "messaging"
    name: Name | None = None
    description: Description | None = None
    image: ImageUrl | None = None
    member_ids: Annotated[tuple[InputUserId, ...], Field(max_length=500)] = ()
    custom: CustomObject | None = None
    config: ConfigFields | None = None
    created_by_id: InputUserId | None = None
    workspace_id: UUID | None = None


class EnsureDirect(RequestModel):
    """Two users who are to have a direct channel."""

    requester_user_id: InputUserId
    peer_user_id: InputUserId
    custom: CustomObject | None = None

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.requester_user_id == self.peer_user_id:
            raise PydanticCustomError("same_user", "a direct channel has two users")
        return self


class EnsureGroup(RequestModel):
    """A group that the app's servers know by a name of their own; the first member owns it unless told otherwise."""

    external_id: Annotated[Line, Field(min_length=1, max_length=255)]
    name: Name | None = None
    image: ImageUrl | None = None
    member_ids: Annotated[tuple[InputUserId, ...], Field(min_length=1, max_length=500)]
    custom: CustomObject | None = None
    created_by_id: InputUserId | None = None


class Truncate(RequestModel):
    """How far to hide the history: up to and including a seq, or all; `hard` wipes the content too, for good."""

    before_seq: Annotated[int, Field(ge=1, le=2**62)] | None = None
    hard: bool = False


class UpdateChannel(RequestModel):
    """What to change; what is left out stays as it is, null empties."""

    name: Name | None = None
    description: Description | None = None
    image: ImageUrl | None = None
    custom: CustomObject | None = None
    config: ConfigFields | None = None
    frozen: bool = False


class AddMembers(RequestModel):
    """One user or many, all in the same role."""

    user_id: InputUserId | None = None
    user_ids: (
        Annotated[tuple[InputUserId, ...], Field(min_length=1, max_length=MOST_MEMBERS_AT_ONCE)] | None
    ) = None
    role: ChannelRole = "member"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.user_id is None) == (self.user_ids is None):
            raise PydanticCustomError("one_of", "give either userId or userIds")
        return self

    @property
    def by_path(self) -> dict[str, InputUserId]:
        """The users by their places in the body."""
        if self.user_id is not None:
            return {"userId": self.user_id}
        return {f"userIds[{index}]": user_id for index, user_id in enumerate(self.user_ids or ())}


class ChangeRole(RequestModel):
    """A member's new role."""

    role: ChannelRole
