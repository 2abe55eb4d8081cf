"""Users: the public projection (never an e-mail address), private per-user state, and their events.

A user's own version orders what has the user as its subject; joining and leaving channels is in `channels`.
"""

from typing import Literal

from pydantic import Field

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import SINCE, Custom, Timestamp, WireModel


class User(WireModel):
    """A user as other users of the app see them."""

    id: UserId
    name: str | None = None
    image: str | None = None
    custom: Custom = Field(default_factory=dict)
    created_at: Timestamp
    updated_at: Timestamp
    deactivated_at: Timestamp | None = None


class ChangedUser(User):
    """A user and the names of the fields that changed."""

    changed: list[str]


class ErasedUser(WireModel):
    """Whose personal data is gone; receivers drop what they keep of this user."""

    id: UserId
    erased_at: Timestamp


class UserState(WireModel):
    """What a user keeps privately about a channel; seen by that user's devices and the app's servers.

    Nothing up to `cleared_seq` is shown to the user any more.
    """

    user_id: UserId
    channel_id: ChannelId
    read_generation: int
    last_read_seq: int
    muted_until: Timestamp | None = None
    starred: bool = False
    hidden: bool = False
    cleared_seq: int = Field(default=0, json_schema_extra={SINCE: "0.2"})
    updated_at: Timestamp


class ChangedUserState(UserState):
    """A user's private state and the names of the fields that changed."""

    changed: list[str]


class UserCreated(Event):
    """A user of the app exists now."""

    audience = Audience.SERVER
    aggregate = "users"
    type: Literal["user.created"] = "user.created"
    data: User


class UserUpdated(Event):
    """A user's public fields changed."""

    audience = Audience.USER
    aggregate = "users"
    type: Literal["user.updated"] = "user.updated"
    data: ChangedUser


class UserDeleted(Event):
    """A user was deactivated; what they wrote stays."""

    audience = Audience.SERVER
    aggregate = "users"
    type: Literal["user.deleted"] = "user.deleted"
    data: User


class UserErased(Event):
    """A user's personal data was erased everywhere."""

    audience = Audience.SERVER
    aggregate = "users"
    type: Literal["user.erased"] = "user.erased"
    data: ErasedUser


class UserStateUpdated(Event):
    """A user's private state in a channel changed on one of their devices."""

    audience = Audience.USER
    aggregate = "users"
    type: Literal["user_state.updated"] = "user_state.updated"
    data: ChangedUserState
