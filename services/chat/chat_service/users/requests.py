"""Bodies of the user routes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from chat_service.wire_input import CustomObject, Email, ImageUrl, InputUserId, Name, RequestModel

MOST_USERS_AT_ONCE = 1_000


class ChangeMe(RequestModel):
    """What users change about themselves: how others see them. What is left out stays as it is, null empties.

    Rights are read from nowhere in `custom`; the e-mail address is told by the app's servers, who know it is theirs.
    """

    name: Name | None = None
    image: ImageUrl | None = None
    custom: CustomObject | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The fields that are in the body, by their Python names."""
        return self.model_dump(exclude_unset=True, by_alias=False, exclude={"user_id"})


class ChangeUser(ChangeMe):
    """What the app's servers change about a user."""

    email: Email | None = None


class EnsureUser(ChangeUser):
    """A user to make or to bring up to date."""

    user_id: InputUserId


class EnsureUsers(RequestModel):
    """Many of them."""

    users: Annotated[tuple[EnsureUser, ...], Field(min_length=1, max_length=MOST_USERS_AT_ONCE)]
