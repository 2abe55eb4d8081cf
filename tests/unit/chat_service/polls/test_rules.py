"""What a poll is made of, who may do what with it, and what a vote counts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.channels.rules import Actor
from chat_service.errors import ChannelFrozen, NotAMember, RoleTooLow
from chat_service.polls import rules
from chat_service.polls.errors import PollEnded
from chatsdk_contracts.channels import Channel, ChannelRole
from chatsdk_contracts.ids import ChannelId, MessageId, PollId, UserId
from chatsdk_contracts.polls import Poll
from chatsdk_runtime.errors import InvalidInput, ServiceError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANN = UserId("ann")


def a_poll(**fields: object) -> Poll:
    made = Poll(
        id=PollId("p"),
        channel_id=ChannelId("c"),
        message_id=MessageId("m"),
        question="Which?",
        options=rules.options_of([(None, "a"), (None, "b"), (None, "c")]),
        created_by=ANN,
        created_at=NOW,
        updated_at=NOW,
    )
    return made.model_copy(update=fields)


def test_options_without_an_id_are_numbered_around_those_that_have_one() -> None:
    made = rules.options_of([(None, "a"), ("1", "b"), (None, "c"), ("x", "d")])
    assert [option.id for option in made] == ["2", "1", "3", "x"]


def test_an_id_twice_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.options_of([("x", "a"), ("y", "b"), ("x", "c")])
    assert [problem.path for problem in refused.value.details] == ["options[2].id"]


@pytest.mark.parametrize(
    ("poll", "is_open"),
    [
        (a_poll(), True),
        (a_poll(ends_at=NOW + timedelta(milliseconds=1)), True),
        # Over to the millisecond, whether or not it has been told.
        (a_poll(ends_at=NOW), False),
        (a_poll(closed_at=NOW - timedelta(days=1)), False),
    ],
)
def test_votes_are_refused_by_time(poll: Poll, is_open: bool) -> None:
    if is_open:
        rules.require_open(poll, NOW)
    else:
        with pytest.raises(PollEnded):
            rules.require_open(poll, NOW)


@pytest.mark.parametrize(
    ("chosen", "multi", "problem"),
    [
        (["1"], False, None),
        (["1", "1"], False, None),
        (["1", "2"], False, "single_choice"),
        (["1", "2"], True, None),
        (["1", "9"], True, "unknown_option"),
        ([], False, None),
    ],
)
def test_a_choice_is_of_the_polls_options(chosen: list[str], multi: bool, problem: str | None) -> None:
    poll = a_poll(is_multi_choice=multi)
    if problem is None:
        rules.require_choice(poll, chosen)
    else:
        with pytest.raises(InvalidInput) as refused:
            rules.require_choice(poll, chosen)
        assert [detail.code for detail in refused.value.details] == [problem]


@pytest.mark.parametrize(
    ("role", "frozen", "by_server", "refusal"),
    [
        ("member", False, False, None),
        (None, False, False, NotAMember),
        ("member", True, False, ChannelFrozen),
        ("moderator", True, False, ChannelFrozen),
        ("admin", True, False, None),
        ("member", True, True, None),
    ],
)
def test_members_make_polls_and_vote_unless_the_channel_is_frozen(
    role: ChannelRole | None, frozen: bool, by_server: bool, refusal: type[ServiceError] | None
) -> None:
    channel = Channel(id=ChannelId("c"), type="group", frozen=frozen, created_at=NOW, updated_at=NOW)
    if refusal is None:
        rules.require_polls(Actor(ANN, role), channel, by_server=by_server)
    else:
        with pytest.raises(refusal):
            rules.require_polls(Actor(ANN, role), channel, by_server=by_server)


@pytest.mark.parametrize(
    ("actor", "may"),
    [
        (Actor(ANN, "member"), True),
        (Actor(UserId("bob"), "member"), False),
        (Actor(UserId("bob"), "moderator"), True),
        (Actor(None, None), True),
    ],
)
def test_author_moderators_and_servers_close(actor: Actor, may: bool) -> None:
    if may:
        rules.require_closer(a_poll(), actor)
    else:
        with pytest.raises(RoleTooLow):
            rules.require_closer(a_poll(), actor)


CHOICES = st.lists(st.sampled_from(["1", "2", "3"]), unique=True)


@given(st.lists(st.tuples(st.sampled_from("abcd"), CHOICES), max_size=30))
def test_counts_are_those_of_the_last_choices(votes: list[tuple[str, list[str]]]) -> None:
    poll, choices = a_poll(), dict[str, list[str]]()
    for voter, chosen in votes:
        after = rules.in_order(poll, chosen)
        poll = rules.counted(poll, choices.get(voter, []), after, NOW)
        choices[voter] = after
    for option in poll.options:
        assert option.vote_count == sum(option.id in chosen for chosen in choices.values())
    assert poll.total_votes == sum(bool(chosen) for chosen in choices.values())


def test_nobody_is_named_in_an_anonymous_poll() -> None:
    assert rules.voter_shown(a_poll(), ANN) == "ann"
    assert rules.voter_shown(a_poll(is_anonymous=True), ANN) is None
