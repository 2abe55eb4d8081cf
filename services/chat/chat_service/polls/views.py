"""Replies about polls that are more than the resource."""

from __future__ import annotations

from pydantic import Field

from chatsdk_contracts.ids import UserId
from chatsdk_contracts.polls import Poll
from chatsdk_contracts.wire import Timestamp, WireModel


class PollView(Poll):
    """A poll as one caller sees it: with their own choice, empty when they have not voted."""

    own_option_ids: list[str] = Field(default_factory=list)


class Voter(WireModel):
    """Who chose what in a poll that is not anonymous."""

    user_id: UserId
    option_ids: list[str]
    voted_at: Timestamp


class PollResults(PollView):
    """A poll's counts and a page of its voters; null in an anonymous poll."""

    voters: list[Voter] | None
    next_cursor: str | None
    has_more: bool
