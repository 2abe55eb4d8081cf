"""Who is mentioned: what stands in a text, what was asked for beside it, what an edit keeps, who hears of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.errors import RoleTooLow
from chat_service.mentions.errors import MentionsOff
from chat_service.mentions.rules import (
    MOST_MENTIONS,
    NOBODY,
    Asked,
    Mentioned,
    Present,
    asked_by,
    asked_by_edit,
    decide,
    found_in,
    groups_from,
    told,
)
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import MentionGroup
from chatsdk_runtime.errors import InvalidInput
from tests.unit.chat_service.messages.sends import STORED

CONFIG = ChannelConfig()


def ids(*names: str) -> list[UserId]:
    return [UserId(name) for name in names]


@pytest.mark.parametrize(
    ("text", "users", "groups"),
    [
        pytest.param("nobody", [], [], id="no sign"),
        pytest.param("@ann", ["ann"], [], id="alone"),
        pytest.param("hello @ann, and @bob.", ["ann", "bob"], [], id="before punctuation"),
        pytest.param("(@ann) @ann", ["ann"], [], id="once each"),
        pytest.param("@ann.lee-2_x", ["ann.lee-2_x"], [], id="full stops within"),
        pytest.param("@ann-.", ["ann"], [], id="not at the end"),
        pytest.param("mail ann@example.org", [], [], id="an e-mail address"),
        pytest.param("<@Ann Lee> and <@a@b>", ["Ann Lee", "a@b"], [], id="any id between brackets"),
        pytest.param("<@ann", ["ann"], [], id="a bracket that does not close"),
        pytest.param("<@>", [], [], id="nobody between them"),
        pytest.param("@", [], [], id="a sign alone"),
        pytest.param("@@ann", [], [], id="two signs"),
        pytest.param("@...", [], [], id="full stops alone"),
        pytest.param("@channel", [], ["channel"], id="a group"),
        pytest.param("@Here @CHANNEL @here!", [], ["here", "channel"], id="groups, whatever the case"),
        pytest.param("<@channel>", ["channel"], [], id="a user of that name"),
        pytest.param("@channels", ["channels"], [], id="no group"),
        pytest.param("@łukasz", ["łukasz"], [], id="letters of any script"),
        pytest.param("@" + "a" * 300, ["a" * 255], [], id="no longer than an id is"),
    ],
)
def test_what_a_text_names(text: str, users: list[str], groups: list[str]) -> None:
    assert found_in(text) == (users, groups)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    users, groups = found_in(text)

    assert all(0 < len(one) <= 255 for one in users)
    assert len(set(users)) == len(users)
    assert set(groups) <= {"channel", "here"}


@pytest.mark.parametrize(
    ("asked", "config", "may_call", "outcome"),
    [
        pytest.param(NOBODY, CONFIG, False, Mentioned([], []), id="nobody"),
        pytest.param(Asked(named=ids("bob")), CONFIG, False, Mentioned(ids("bob"), []), id="a member"),
        pytest.param(Asked(named=ids("eve")), CONFIG, False, InvalidInput, id="named, and no member"),
        pytest.param(
            Asked(written=ids("eve", "bob")),
            CONFIG,
            False,
            Mentioned(ids("bob"), []),
            id="written, and text only",
        ),
        pytest.param(
            Asked(named_groups=["here"]), CONFIG, True, Mentioned([], ["here"]), id="a moderator's group"
        ),
        pytest.param(Asked(named_groups=["here"]), CONFIG, False, RoleTooLow, id="a member's group"),
        pytest.param(
            Asked(written_groups=["channel"]), CONFIG, False, Mentioned([], []), id="written by a member"
        ),
        pytest.param(
            Asked(ids("bob"), ids("bob"), ["channel"], ["channel"]),
            CONFIG,
            True,
            Mentioned(ids("bob"), ["channel"]),
            id="once each",
        ),
        pytest.param(Asked(named=ids("bob")), ChannelConfig(mentions=False), True, MentionsOff, id="off"),
        pytest.param(
            Asked(named_groups=["channel"]), ChannelConfig(mentions=False), True, MentionsOff, id="groups off"
        ),
        pytest.param(
            Asked(written=ids("bob"), written_groups=["here"]),
            ChannelConfig(mentions=False),
            True,
            Mentioned([], []),
            id="off, and text only",
        ),
    ],
)
def test_what_holds_of_what_was_asked(
    asked: Asked, config: ChannelConfig, may_call: bool, outcome: Mentioned | type[Exception]
) -> None:
    decided = decide(asked, Present(frozenset(ids("bob", "ann"))), config, may_call_all=may_call)

    assert decided == outcome if isinstance(outcome, Mentioned) else isinstance(decided, outcome)


def test_every_stranger_is_named_by_their_place() -> None:
    decided = decide(
        Asked(named=ids("eve", "bob", "mal")), Present(frozenset(ids("bob"))), CONFIG, may_call_all=True
    )

    assert isinstance(decided, InvalidInput)
    assert [(one.path, one.code) for one in decided.details] == [
        ("mentionedUserIds[0]", "not_a_member"),
        ("mentionedUserIds[2]", "not_a_member"),
    ]


def test_no_message_asks_for_more_than_the_most() -> None:
    text = " ".join(f"@user{number}" for number in range(200))

    asked = asked_by(ids("ann", "user3"), [], text)

    assert len(asked.users) == MOST_MENTIONS
    assert asked.users[:4] == ids("ann", "user3", "user0", "user1")
    assert asked_by([], [], "x" * 20) is NOBODY


@pytest.mark.parametrize(
    ("named", "groups", "text", "users", "after"),
    [
        pytest.param(None, None, "hi @bob", ["cid", "bob"], ["here"], id="beside the text it stays"),
        pytest.param(None, None, "hi", ["cid"], ["here"], id="in the text it goes with the text"),
        pytest.param([], None, "hi @dan", ["dan"], ["here"], id="given anew, these are all"),
        pytest.param(["dan"], [], "@channel", ["dan"], ["channel"], id="groups likewise"),
    ],
)
def test_what_an_edit_mentions(
    named: list[UserId] | None,
    groups: list[MentionGroup] | None,
    text: str,
    users: list[str],
    after: list[str],
) -> None:
    before = STORED.model_copy(
        update={"text": "hello @bob", "mentions": ids("cid", "bob"), "mention_groups": ["here"]}
    )

    asked = asked_by_edit(before, named, groups, text)

    assert asked.users == users
    assert [*asked.named_groups, *asked.written_groups] == after


def test_what_an_edit_keeps_is_never_refused() -> None:
    before = STORED.model_copy(update={"mentions": ids("gone"), "mention_groups": ["channel"]})

    decided = decide(asked_by_edit(before, None, None, "x"), Present(), CONFIG, may_call_all=False)

    assert decided == Mentioned([], [])


def test_who_hears_of_a_mention() -> None:
    message = STORED.model_copy(update={"mentions": ids("ann", "bob", "cid", "dan")})

    assert told(message, ids("cid")) == ids("bob", "dan"), "not the author, nor who blocked them"
    assert told(message, [], [None, UserId("bob")]) == ids("cid", "dan"), "nobody a second time"


def test_groups_are_found_by_their_beginning() -> None:
    assert groups_from("") == ["channel", "here"]
    assert groups_from("HE") == ["here"]
    assert groups_from("x") == []
