"""Polls: the voter in an anonymous poll is nowhere."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from chatsdk_contracts.ids import new_id
from chatsdk_contracts.polls import PollVote, PollVoted, PollVoteRemoved


def vote(**changes: Any) -> dict[str, Any]:
    return {
        "poll_id": "p",
        "message_id": "m",
        "channel_id": "c",
        "user_id": None,
        "is_anonymous": True,
        "option_ids": ["1"],
        "counts": {"1": 1},
        "total_votes": 1,
    } | changes


def test_an_anonymous_vote_cannot_name_its_voter() -> None:
    with pytest.raises(ValidationError, match="names its voter"):
        PollVote(**vote(user_id="alice"))


def test_an_open_vote_names_its_voter() -> None:
    assert PollVote(**vote(user_id="alice", is_anonymous=False)).user_id == "alice"


@pytest.mark.parametrize("event_cls", [PollVoted, PollVoteRemoved])
def test_the_event_of_an_anonymous_vote_cannot_have_an_actor(
    event_cls: type[PollVoted] | type[PollVoteRemoved],
) -> None:
    envelope = {"id": new_id(), "subject": "channels/c", "time": datetime.now(UTC), "appid": "a", "epoch": 1}
    assert event_cls.model_validate(envelope | {"data": vote()}).actorid is None
    with pytest.raises(ValidationError, match="names its actor"):
        event_cls.model_validate(envelope | {"data": vote(), "actorid": "alice"})
