"""Sends of banned and shadow-banned users: refused, or accepted without a number that others could miss."""

from datetime import timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.errors import ChannelFrozen, NotAMember
from chat_service.messages import remains, shadows
from chat_service.messages.rules import Accepted, Decisions, Repeat
from chat_service.messages.visible_store import Own
from chat_service.moderation.errors import Banned, BlockedByOther
from chat_service.moderation.restraints import Restraint
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message, MessageStatus, tombstone
from tests.unit.chat_service.messages.sends import NOW, PARENT, STORED, a_channel, a_send, facts

SHADOW = Restraint(is_shadowed=True)
BANNED = Restraint(is_banned=True, until=NOW + timedelta(hours=1), reason="spam")


def test_a_shadowed_send_takes_a_version_and_nothing_that_others_count() -> None:
    channel, decisions = a_channel(), Decisions(NOW)

    first = decisions.decide(a_send("c1"), channel, facts(restraint=SHADOW))
    second = decisions.decide(a_send("c2", user_id=UserId("bob")), channel, facts())
    third = decisions.decide(a_send("c3"), channel, facts(restraint=SHADOW))

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert isinstance(third, Accepted)
    assert [one.message.seq for one in (first, second, third)] == [None, 5, None]
    assert [one.message.cv for one in (first, second, third)] == [10, 11, 12]
    assert [one.shadowed_after for one in (first, second, third)] == [4, None, 5]
    assert (channel.last_seq, channel.added, channel.is_told) == (5, 1, True)


def test_a_channel_in_which_only_shadowed_things_happened_is_not_told_as_active() -> None:
    channel = a_channel()
    Decisions(NOW).decide(a_send(), channel, facts(restraint=SHADOW))
    assert (channel.is_told, channel.added, channel.last_seq) == (False, 0, 4)


def test_a_shadowed_reply_counts_in_no_thread_and_a_reply_to_a_shadowed_message_is_one() -> None:
    channel, decisions = a_channel(), Decisions(NOW)
    known = {"parent_last_seq": 2, "parent_is_top": True}

    shadowed = decisions.decide(a_send("c1", parent_id=PARENT), channel, facts(restraint=SHADOW, **known))
    within = decisions.decide(
        a_send("c2", parent_id=PARENT), channel, facts(parent_is_shadowed=True, **known)
    )

    for verdict in (shadowed, within):
        assert isinstance(verdict, Accepted)
        assert (verdict.message.thread_seq, verdict.shadowed_after) == (None, 4)
    assert decisions.threads == {}


@pytest.mark.parametrize(
    ("known", "changes", "frozen", "refusal"),
    [
        ({"restraint": BANNED}, {}, False, Banned),
        ({"restraint": BANNED}, {"by_server": True}, False, Banned),
        ({"restraint": Restraint(is_blocked=True)}, {}, False, BlockedByOther),
        ({"restraint": BANNED, "role": None}, {}, False, NotAMember),
        ({"restraint": BANNED, "role": "owner"}, {}, True, Banned),
        ({"restraint": SHADOW}, {}, True, ChannelFrozen),
    ],
)
def test_who_is_refused(
    known: dict[str, object], changes: dict[str, object], frozen: bool, refusal: type[Exception]
) -> None:
    verdict = Decisions(NOW).decide(a_send(**changes), a_channel(frozen=frozen), facts(**known))  # type: ignore[arg-type] # a mapping again
    assert isinstance(verdict, refusal)


def test_what_is_held_of_a_shadow_banned_user_waits_like_any_other_and_changes_nothing() -> None:
    channel, before = a_channel(), a_channel()

    held = Decisions(NOW).decide(a_send(held=True), channel, facts(restraint=SHADOW))

    assert isinstance(held, Accepted)
    assert (held.message.status, held.message.seq, held.shadowed_after) == ("held", None, None)
    assert channel == before


@pytest.mark.parametrize("restraint", [BANNED, SHADOW])
def test_the_apps_own_word_is_heard_whoever_is_named_in_it(restraint: Restraint) -> None:
    system = a_send(by_server=True, type="system")
    verdict = Decisions(NOW).decide(system, a_channel(), facts(restraint=restraint))
    assert isinstance(verdict, Accepted)
    assert verdict.message.seq == 5


def test_a_repeat_comes_before_a_ban() -> None:
    known = facts(stored=STORED, stored_hash=b"h", restraint=BANNED)
    assert Decisions(NOW).decide(a_send(), a_channel(), known) == Repeat(STORED)


@pytest.mark.parametrize(
    ("seq", "thread_seq", "status", "reader"),
    [
        (None, None, "sent", "ann"),
        (3, None, "sent", None),
        (None, 3, "sent", None),
        # A held message waits for a moderator, which is another matter.
        (None, None, "held", None),
        (None, None, "rejected", None),
    ],
)
def test_a_message_without_a_place_is_its_authors(
    seq: int | None, thread_seq: int | None, status: MessageStatus, reader: str | None
) -> None:
    message = STORED.model_copy(update={"seq": seq, "thread_seq": thread_seq, "status": status})
    assert shadows.only_reader(message) == reader
    assert shadows.only_reader(tombstone(message, deleted_at=NOW, deleted_by=None, cv=9)) == reader


@pytest.mark.parametrize("told", ["message.new", "message.updated"])
def test_a_shadowed_event_is_redacted_like_the_one_that_it_stands_for(told: str) -> None:
    data = {"id": "m", "text": "words", "attachments": [1], "custom": {"a": 1}, "cv": 3}
    plain = remains.redacted(orjson.dumps({"type": told, "data": data}))
    shadowed = remains.redacted(
        orjson.dumps({"type": "message.shadowed", "data": {"told": told, "data": data}})
    )
    assert orjson.loads(shadowed)["data"]["data"] == orjson.loads(plain)["data"]
    poll = {"question": "words", "options": [{"id": "1", "text": "words"}]}
    body = orjson.dumps({"type": "message.shadowed", "data": {"told": "poll.created", "data": poll}})
    assert b"words" not in remains.redacted(body)


def placed(seq: int) -> Message:
    return STORED.model_copy(update={"seq": seq, "text": f"all {seq}"})


@given(
    count=st.integers(0, 12),
    hers=st.lists(st.integers(0, 12), max_size=8).map(sorted),
    limit=st.integers(1, 5),
    forward=st.booleans(),
)
def test_pages_both_ways_show_each_message_once_and_in_order(
    count: int, hers: list[int], limit: int, forward: bool
) -> None:
    everybodys = [placed(seq) for seq in range(1, count + 1)]
    own = [Own(STORED.model_copy(update={"text": f"own {n}"}), min(at, count)) for n, at in enumerate(hers)]

    def within(span: tuple[int, int | None]) -> list[Own]:
        low, high = span
        return [one for one in own if one.after_seq >= low and (high is None or one.after_seq < high)]

    pages: list[list[Message]] = []
    place: int | None = 0 if forward else None
    has_more = True
    while has_more:
        if forward:
            behind = [one for one in everybodys if (one.seq or 0) > (place or 0)]
            page, has_more = behind[:limit], len(behind) > limit
            pages.append(
                shadows.with_own(page, within(shadows.span_behind(page, place or 0, has_more=has_more)))
            )
            place = page[-1].seq if page else place
        else:
            before = [one for one in everybodys if place is None or (one.seq or 0) < place]
            page, has_more = before[-limit:], len(before) > limit
            span = shadows.span_before(page, place, 0, has_more=has_more)
            pages.append(shadows.with_own(page, within(span)))
            place = page[0].seq if page else place

    shown = [one.text for page in (pages if forward else pages[::-1]) for one in page]
    everything = sorted(
        [(seq, 0, f"all {seq}") for seq in range(1, count + 1)]
        + [(one.after_seq, 1, one.message.text) for one in own],
        key=lambda one: one[:2],
    )
    assert shown == [text for _, _, text in everything]
