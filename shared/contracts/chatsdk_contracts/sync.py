"""Catching up: a page of what a user's channels went through, and operations that a client kept while it was away.

A page shows each changed thing as it is now, with the range of channel versions that it covers: what was deleted
in the meantime is never shown again. Ranges of one channel follow each other without a hole.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from chatsdk_contracts.channels import Channel, Member
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.messages import HiddenMessage, Message
from chatsdk_contracts.polls import Poll
from chatsdk_contracts.users import User, UserState
from chatsdk_contracts.wire import WireModel

ResetReason = Literal["initial", "joined", "horizon", "epoch"]
DepartureReason = Literal["left", "removed", "banned", "deactivated", "deleted"]


class _Change(WireModel):
    """What all changes share: the versions `cv_from`..`cv` of the channel are covered, both included."""

    channel_id: ChannelId
    cv_from: int
    cv: int


class MessageChange(_Change):
    """A message, or its tombstone, as it is now, its poll, and how this user reacted and voted.

    Of a message whose author the user has blocked, only its place is told.
    """

    type: Literal["message"] = "message"
    message: Message | HiddenMessage
    own_reactions: list[str]
    poll: Poll | None = None
    own_option_ids: list[str] = Field(default_factory=list)


class MemberChange(_Change):
    """A member as it is now; null when the user is not in the channel any more."""

    type: Literal["member"] = "member"
    user_id: UserId
    member: Member | None


class ChannelChange(_Change):
    """The channel itself as it is now; no message up to `truncated_seq` is shown to this user any more."""

    type: Literal["channel"] = "channel"
    channel: Channel
    truncated_seq: int


class NothingToShow(_Change):
    """Versions that changed nothing which this user may see."""

    type: Literal["none"] = "none"


Change = Annotated[MessageChange | MemberChange | ChannelChange | NothingToShow, Field(discriminator="type")]


class Reset(WireModel):
    """A channel that the client loads anew: what it holds of it does not connect with this page.

    `cv` and `last_seq` are the channel's when the page was made; later changes come in later pages.
    """

    channel_id: ChannelId
    reason: ResetReason | str
    cv: int
    last_seq: int


class Departure(WireModel):
    """A channel that the user is not in any more, with the version at which that happened."""

    channel_id: ChannelId
    reason: DepartureReason | str
    cv: int


class LaneAck(WireModel):
    """The highest operation of this client in a channel whose effect is in this page or one before."""

    channel_id: ChannelId
    lane_seq: int


class SyncPage(WireModel):
    """A page. `cursor` is where the next one goes on; `remaining` counts the versions still to come behind it."""

    changes: list[Change]
    states: list[UserState]
    acks: list[LaneAck]
    reset: list[Reset]
    left: list[Departure]
    user: User | None
    cursor: str
    remaining: int
    has_more: bool
    epoch: int


OpKind = Literal[
    "message.send", "message.edit", "message.delete", "reaction.add", "reaction.remove", "read.mark"
]


class OpResult(WireModel):
    """What an operation came to: an HTTP status, and the message or the error that the plain call would give.

    `replayed` is true when it had been applied before and this is the stored result.
    """

    op_id: str
    lane_seq: int
    status: int
    replayed: bool
    message: Message | None = None
    error: dict[str, Any] | None = None


class OpsAnswer(WireModel):
    """Results of the operations up to the first that may be tried again; `last_lane_seq` is the lane's last."""

    client_id: str
    channel_id: ChannelId
    results: list[OpResult]
    last_lane_seq: int
