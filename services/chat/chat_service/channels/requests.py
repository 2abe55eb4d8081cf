"""Bodies of the channel routes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.wire_input import CustomObject, Description, ImageUrl, InputUserId, Name, RequestModel
from chatsdk_contracts.channels import ChannelRole, ChannelType

MOST_MEMBERS_AT_ONCE = 100


class ConfigFields(RequestModel):
    """What a channel allows; what is left out stays as it is."""

    typing_events: bool = True
    read_events: bool = True
    reactions: bool = True
    replies: bool = True
    private: bool = False


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
