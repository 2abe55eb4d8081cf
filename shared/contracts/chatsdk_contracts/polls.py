"""Polls attached to messages: the resource, the vote, and their events.

Who voted in an anonymous poll is in no event at all, neither in `data` nor as the actor: the models refuse it.
"""

from typing import Literal, Self

from pydantic import model_validator

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MessageId, PollId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class PollOption(WireModel):
    """One answer and how many chose it."""

    id: str
    text: str
    vote_count: int = 0


class Poll(WireModel):
    """A poll as everybody sees it."""

    id: PollId
    channel_id: ChannelId
    message_id: MessageId
    question: str
    options: list[PollOption]
    is_anonymous: bool = False
    is_multi_choice: bool = False
    total_votes: int = 0
    ends_at: Timestamp | None = None
    closed_at: Timestamp | None = None
    created_by: UserId
    created_at: Timestamp
    updated_at: Timestamp


class PollVote(WireModel):
    """A vote given or taken back, and the poll's counts afterwards; `user_id` is null if the poll is anonymous."""

    poll_id: PollId
    message_id: MessageId
    channel_id: ChannelId
    user_id: UserId | None
    is_anonymous: bool
    option_ids: list[str]
    counts: dict[str, int]
    total_votes: int

    @model_validator(mode="after")
    def _keep_voter_secret(self) -> Self:
        if self.is_anonymous and self.user_id is not None:
            raise ValueError("the vote in an anonymous poll names its voter")
        return self


class _VoteEvent(Event):
    """What both vote events share: no actor if the poll is anonymous."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    data: PollVote

    @model_validator(mode="after")
    def _keep_actor_secret(self) -> Self:
        if self.data.is_anonymous and self.actorid is not None:
            raise ValueError("the event of a vote in an anonymous poll names its actor")
        return self


class PollCreated(Event):
    """A poll was attached to a message."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["poll.created"] = "poll.created"
    data: Poll


class PollVoted(_VoteEvent):
    """A vote was given or changed."""

    type: Literal["poll.voted"] = "poll.voted"


class PollVoteRemoved(_VoteEvent):
    """A vote was taken back."""

    type: Literal["poll.vote_removed"] = "poll.vote_removed"


class PollClosed(Event):
    """A poll takes no more votes."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["poll.closed"] = "poll.closed"
    data: Poll
