"""Which texts are reactions, and what a batch of them comes to."""

from datetime import UTC, datetime

import emoji
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.errors import (
    ChannelFrozen,
    ChannelNotFound,
    MessageIsDeleted,
    MessageNotFound,
    NotAMember,
    ReactionNotFound,
    ReactionsOff,
    TooManyReactions,
)
from chat_service.messages.rules import ChannelHead
from chat_service.moderation.errors import Banned, BlockedByOther
from chat_service.moderation.restraints import Restraint
from chat_service.reactions.rules import (
    LONGEST_TYPE,
    MOST_TYPES,
    Decisions,
    Reacted,
    Reacting,
    ReactionFacts,
    canonical_type,
)
from chatsdk_contracts.ids import AppId, MessageId, UserId, new_id
from tests.unit.chat_service.messages.sends import a_channel

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EARLIER = datetime(2025, 1, 1, tzinfo=UTC)
HEAD = a_channel()
MESSAGE = MessageId(new_id())
SELECTOR = "\N{VARIATION SELECTOR-16}"
JOINER = "\N{ZERO WIDTH JOINER}"
BY_STATUS = {
    name: [text for text, known in emoji.EMOJI_DATA.items() if known["status"] == status]
    for name, status in emoji.STATUS.items()
}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("\U0001f914", "\U0001f914", id="one code point"),
        pytest.param("\u2764\ufe0f", "\u2764\ufe0f", id="fully qualified"),
        pytest.param("\u2764", "\u2764\ufe0f", id="unqualified"),
        pytest.param("\U0001f44d\U0001f3fd", "\U0001f44d\U0001f3fd", id="skin tone"),
        pytest.param(
            f"\U0001f468{JOINER}\U0001f469{JOINER}\U0001f467",
            f"\U0001f468{JOINER}\U0001f469{JOINER}\U0001f467",
            id="family, joined",
        ),
        pytest.param(
            f"\U0001f3f3{JOINER}\U0001f308", f"\U0001f3f3\ufe0f{JOINER}\U0001f308", id="minimally qualified"
        ),
        pytest.param("\U0001f1ea\U0001f1fa", "\U0001f1ea\U0001f1fa", id="flag"),
        pytest.param("#\u20e3", "#\ufe0f\u20e3", id="keycap"),
        pytest.param(":party-parrot:", ":party-parrot:", id="custom"),
        pytest.param(":+1:", ":+1:", id="custom with a sign"),
        pytest.param(f":{'a' * 48}:", f":{'a' * 48}:", id="longest custom name"),
        pytest.param("not an emoji", None, id="words"),
        pytest.param("", None, id="nothing"),
        pytest.param("1", None, id="a digit"),
        pytest.param("#", None, id="a number sign"),
        pytest.param("\U0001f3fd", None, id="a skin tone by itself"),
        pytest.param("\U0001f1ea", None, id="half a flag"),
        pytest.param("\U0001f914\U0001f914", None, id="two"),
        pytest.param("\U0001f914 ", None, id="with a space"),
        pytest.param("\u2764\ufe0f\ufe0f", None, id="a selector too many"),
        pytest.param("::", None, id="no name"),
        pytest.param(":Party:", None, id="capitals"),
        pytest.param(f":{'a' * 49}:", None, id="too long a name"),
        pytest.param(":a:\n", None, id="a line break behind it"),
    ],
)
def test_what_is_a_reaction_and_how_it_is_spelled(text: str, canonical: str | None) -> None:
    assert canonical_type(text) == canonical


def test_every_emoji_of_unicode_is_one_and_its_spellings_are_the_same() -> None:
    for text in BY_STATUS["fully_qualified"]:
        assert canonical_type(text) == text
    for text in BY_STATUS["minimally_qualified"] + BY_STATUS["unqualified"]:
        canonical = canonical_type(text)
        assert canonical in emoji.EMOJI_DATA
        assert canonical.replace(SELECTOR, "") == text.replace(SELECTOR, "")
    assert not [text for text in BY_STATUS["component"] if canonical_type(text)]
    assert max(map(len, emoji.EMOJI_DATA)) <= LONGEST_TYPE


@given(st.text(max_size=12) | st.sampled_from(list(emoji.EMOJI_DATA)))
def test_the_canonical_spelling_is_its_own(text: str) -> None:
    canonical = canonical_type(text)

    assert canonical is None or canonical_type(canonical) == canonical


def reacting(user: str = "ann", reaction_type: str = ":a:", **changes: object) -> Reacting:
    """A member's reaction."""
    values: dict[str, object] = {
        "app_id": HEAD.app_id,
        "channel_id": HEAD.id,
        "message_id": MESSAGE,
        "user_id": UserId(user),
        "type": reaction_type,
        "change": "add",
        "traceparent": None,
    }
    return Reacting(**{**values, **changes})  # type: ignore[arg-type] # one place that builds them from a mapping


def facts(**changes: object) -> ReactionFacts:
    """What the database says of a member's first reaction."""
    values: dict[str, object] = {
        "role": "member",
        "hidden": False,
        "allowed": True,
        "deleted": False,
        "counts": {},
        "reacted_at": None,
    }
    return ReactionFacts(**{**values, **changes})  # type: ignore[arg-type] # as above


SHADOWED = Restraint(is_shadowed=True)


def test_what_a_shadow_banned_user_adds_is_told_to_them_and_counted_for_nobody() -> None:
    channel, decisions = a_channel(), Decisions(NOW)
    known = facts(counts={":a:": 2}, restraint=SHADOWED)

    added = decisions.decide(reacting(), channel, known)
    taken = decisions.decide(reacting(change="remove"), channel, known)
    others = decisions.decide(reacting("bob"), channel, facts(counts={":a:": 2}))

    assert isinstance(added, Reacted)
    assert isinstance(taken, Reacted)
    assert isinstance(others, Reacted)
    assert (added.reaction.counts, added.changed, added.is_written) == ({":a:": 3}, True, False)
    assert (taken.reaction.counts, taken.is_written) == ({":a:": 2}, False)
    assert (others.reaction.counts, others.cv, channel.cv) == ({":a:": 3}, 10, 10)


def test_what_they_reacted_before_they_take_back_and_their_own_they_react_to() -> None:
    channel, decisions = a_channel(), Decisions(NOW)

    taken = decisions.decide(
        reacting(change="remove"), channel, facts(counts={":a:": 1}, reacted_at=EARLIER, restraint=SHADOWED)
    )
    own = decisions.decide(
        reacting(reaction_type=":b:", message_id=MessageId(new_id())),
        channel,
        facts(restraint=SHADOWED, only_for=UserId("ann")),
    )

    assert isinstance(taken, Reacted)
    assert isinstance(own, Reacted)
    assert (taken.cv, taken.reaction.counts, taken.only_for) == (10, {}, None)
    assert (own.cv, own.reaction.counts, own.only_for) == (11, {":b:": 1}, "ann")


MANY = {f":n{number}:": 1 for number in range(MOST_TYPES)}


@pytest.mark.parametrize(
    ("channel", "known", "wanted", "refusal"),
    [
        pytest.param(
            a_channel(app_id=AppId(new_id())), facts(), reacting(), ChannelNotFound, id="another app's"
        ),
        pytest.param(a_channel(deleted=True), facts(), reacting(), ChannelNotFound, id="deleted channel"),
        pytest.param(
            a_channel(), facts(restraint=Restraint(is_banned=True)), reacting(), Banned, id="banned"
        ),
        pytest.param(
            a_channel(), facts(restraint=Restraint(is_blocked=True)), reacting(), BlockedByOther, id="blocked"
        ),
        pytest.param(a_channel(), facts(role=None), reacting(), NotAMember, id="not a member"),
        pytest.param(a_channel(), facts(role=None, hidden=True), reacting(), ChannelNotFound, id="hidden"),
        pytest.param(a_channel(), facts(counts=None), reacting(), MessageNotFound, id="unknown message"),
        pytest.param(a_channel(), facts(deleted=True), reacting(), MessageIsDeleted, id="tombstone"),
        pytest.param(a_channel(frozen=True), facts(), reacting(), ChannelFrozen, id="frozen"),
        pytest.param(a_channel(), facts(allowed=False), reacting(), ReactionsOff, id="switched off"),
        pytest.param(a_channel(), facts(counts=MANY), reacting(), TooManyReactions, id="too many types"),
        pytest.param(a_channel(), facts(), reacting(change="remove"), ReactionNotFound, id="nothing there"),
    ],
)
def test_refusals_change_no_version(
    channel: ChannelHead, known: ReactionFacts, wanted: Reacting, refusal: type[Exception]
) -> None:
    before = channel.cv

    assert isinstance(Decisions(NOW).decide(wanted, channel, known), refusal)
    assert channel.cv == before


@pytest.mark.parametrize(
    ("channel", "known", "wanted"),
    [
        pytest.param(a_channel(frozen=True), facts(role="admin"), reacting(), id="an admin, frozen"),
        pytest.param(a_channel(frozen=True), facts(), reacting(by_server=True), id="the server, frozen"),
        pytest.param(
            a_channel(), facts(counts={**MANY, ":a:": 1}), reacting(), id="one more of a known type"
        ),
        pytest.param(
            a_channel(),
            facts(allowed=False, counts={":a:": 1}, reacted_at=EARLIER),
            reacting(change="remove"),
            id="taking back where reactions are off",
        ),
    ],
)
def test_what_is_taken_nevertheless(channel: ChannelHead, known: ReactionFacts, wanted: Reacting) -> None:
    outcome = Decisions(NOW).decide(wanted, channel, known)

    assert isinstance(outcome, Reacted)
    assert outcome.changed


def test_one_that_is_there_is_told_with_its_time_and_changes_nothing() -> None:
    channel = a_channel()
    known = facts(counts={":a:": 3}, reacted_at=EARLIER, allowed=False)

    outcome = Decisions(NOW).decide(reacting(), channel, known)

    assert isinstance(outcome, Reacted)
    assert (outcome.changed, outcome.reaction.created_at, outcome.reaction.counts) == (
        False,
        EARLIER,
        {":a:": 3},
    )
    assert channel.cv == HEAD.cv


STEPS = st.tuples(
    st.sampled_from(["ann", "bob", "cid"]),
    st.sampled_from([":a:", ":b:"]),
    st.sampled_from(["add", "remove"]),
)


@given(st.lists(STEPS, max_size=40))
def test_a_batch_is_what_its_reactions_one_after_the_other_would_be(
    steps: list[tuple[str, str, str]],
) -> None:
    channel, decisions = a_channel(cv=0), Decisions(NOW)
    there: set[tuple[str, str]] = set()
    versions = []
    for user, reaction_type, change in steps:
        outcome = decisions.decide(reacting(user, reaction_type, change=change), channel, facts())
        is_there = (user, reaction_type) in there
        if change == "add":
            there.add((user, reaction_type))
        else:
            there.discard((user, reaction_type))
        if change == "remove" and not is_there:
            assert isinstance(outcome, ReactionNotFound)
            continue
        assert isinstance(outcome, Reacted)
        assert outcome.changed is (is_there == (change == "remove"))
        counts = {name: sum(kind == name for _, kind in there) for _, name in there}
        assert outcome.reaction.counts == counts
        if outcome.cv is not None:
            versions.append(outcome.cv)

    assert versions == list(range(1, len(versions) + 1))
    present = {(user, kind) for (_, user, kind), at in decisions.after.items() if at is not None}
    assert present == there
