"""Bodies of the workspace routes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.wire_input import (
    CustomObject,
    Email,
    ImageUrl,
    InputTime,
    InputUserId,
    Name,
    RequestModel,
    SafeText,
)
from chatsdk_contracts.workspaces import WorkspaceRole, WorkspaceType

MOST_AT_ONCE = 100
MOST_INVITES = 50


class CreateWorkspace(RequestModel):
    """A new workspace; who makes it is its owner."""

    name: Name
    type: WorkspaceType = "team"
    image: ImageUrl | None = None
    config: CustomObject | None = None
    expires_at: InputTime | None = None
    created_by_id: InputUserId | None = None


class UpdateWorkspace(RequestModel):
    """What to change; what is left out stays as it is, null empties an image, the config or the expiry."""

    name: Name | None = None
    type: WorkspaceType | None = None
    image: ImageUrl | None = None
    config: CustomObject | None = None
    expires_at: InputTime | None = None


class AddMembers(RequestModel):
    """Users to add, all in the same role."""

    user_ids: Annotated[tuple[InputUserId, ...], Field(min_length=1, max_length=MOST_AT_ONCE)]
    role: WorkspaceRole = "member"


class ChangeRole(RequestModel):
    """A member's new role."""

    role: WorkspaceRole


class Invite(RequestModel):
    """Whom to invite: addresses, or users of the app; the app sends the links itself."""

    emails: Annotated[tuple[Email, ...], Field(min_length=1, max_length=MOST_INVITES)] | None = None
    user_ids: Annotated[tuple[InputUserId, ...], Field(min_length=1, max_length=MOST_INVITES)] | None = None
    role: WorkspaceRole = "member"
    message: Annotated[SafeText, Field(max_length=500)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.emails is None) == (self.user_ids is None):
            raise PydanticCustomError("one_of", "give either emails or userIds")
        return self
