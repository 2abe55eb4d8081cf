"""How a user is shown: sockets, heartbeats, what was chosen, and the time that is given before offline is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.presence import rules
from chat_service.presence.rules import HIDING, Choice, Facts

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GRACE, HEARTBEAT = timedelta(seconds=20), timedelta(seconds=60)
SOON, PAST = NOW + timedelta(seconds=10), NOW - timedelta(seconds=10)
THERE = Facts(shown="online", sockets=1, awake=1, last_seen_at=PAST)
GONE = replace(THERE, sockets=0, awake=0)


@pytest.mark.parametrize(
    ("facts", "shown", "due_at"),
    [
        (Facts(), "offline", None),
        (Facts(sockets=1, awake=1), "online", None),
        (Facts(sockets=2, awake=1), "online", None),
        (Facts(sockets=2, awake=0), "away", None),
        (Facts(chosen="away", sockets=1, awake=1), "away", None),
        (Facts(heartbeat_until=SOON), "online", SOON),
        # A heartbeat beside sockets that are away counts until it ends.
        (Facts(heartbeat_until=SOON, sockets=1, awake=0), "online", SOON),
        (Facts(heartbeat_until=PAST, sockets=1, awake=0, due_at=PAST), "away", None),
        (Facts(heartbeat_until=SOON, sockets=1, awake=1), "online", None),
        (Facts(heartbeat_until=PAST), "offline", None),
        # The last socket ended just now: time for the page to load again.
        (GONE, "online", NOW + GRACE),
        (replace(GONE, due_at=SOON), "online", SOON),
        (replace(GONE, due_at=NOW), "offline", None),
        # A heartbeat that was not renewed is over at once.
        (Facts(shown="online", heartbeat_until=NOW, due_at=NOW), "offline", None),
        (replace(THERE, due_at=PAST), "online", None),
        (replace(THERE, chosen="invisible"), "offline", None),
        (replace(THERE, chosen="offline"), "offline", None),
        (replace(GONE, chosen="invisible", due_at=SOON), "offline", None),
    ],
)
def test_how_a_user_is_shown(facts: Facts, shown: str, due_at: datetime | None) -> None:
    settled = rules.settled(facts, NOW, GRACE)
    assert (settled.shown, settled.due_at) == (shown, due_at)
    assert rules.settled(settled, NOW, GRACE) == settled, "settled is settled"


def test_last_seen_is_when_they_came_or_left_and_stands_still_for_who_hides() -> None:
    came = rules.settled(Facts(sockets=1, awake=1, last_seen_at=PAST), NOW, GRACE)
    left = rules.settled(GONE, NOW, GRACE)
    assert (came.last_seen_at, left.last_seen_at) == (NOW, NOW)
    assert rules.settled(THERE, NOW, GRACE).last_seen_at == PAST
    assert rules.settled(replace(THERE, chosen="invisible"), NOW, GRACE).last_seen_at == PAST
    # To hide is the last that is seen; who is not seen stays as they were.
    assert rules.chosen(THERE, "invisible", NOW, HEARTBEAT).last_seen_at == NOW
    assert rules.chosen(Facts(last_seen_at=PAST), "invisible", NOW, HEARTBEAT).last_seen_at == PAST
    assert rules.beaten(Facts(chosen="invisible", last_seen_at=PAST), NOW, HEARTBEAT).last_seen_at == PAST


def test_offline_lasts_until_a_sign_of_life_and_invisible_until_something_else_is_chosen() -> None:
    assert rules.woken(Facts(chosen="offline")).chosen == "online"
    assert rules.beaten(Facts(chosen="offline"), NOW, HEARTBEAT).chosen == "online"
    for choice in ("invisible", "away", "online"):
        assert rules.woken(Facts(chosen=choice)).chosen == choice
    # Away was of the visit that is over.
    assert rules.settled(replace(GONE, chosen="away", due_at=PAST), NOW, GRACE).chosen == "online"


def test_who_wants_to_be_seen_and_has_no_socket_is_there_for_a_heartbeat() -> None:
    assert rules.chosen(Facts(), "away", NOW, HEARTBEAT).heartbeat_until == NOW + HEARTBEAT
    assert rules.chosen(THERE, "away", NOW, HEARTBEAT).heartbeat_until is None
    assert rules.chosen(Facts(heartbeat_until=SOON), "offline", NOW, HEARTBEAT).heartbeat_until is None


@pytest.mark.parametrize(
    ("facts", "is_fresh"),
    [
        (Facts(), False),
        (Facts(heartbeat_until=NOW + timedelta(seconds=41)), True),
        (Facts(heartbeat_until=NOW + timedelta(seconds=39)), False),
        (Facts(heartbeat_until=NOW + HEARTBEAT, chosen="offline"), False),
    ],
)
def test_a_heartbeat_is_written_when_a_third_of_the_last_is_over(facts: Facts, *, is_fresh: bool) -> None:
    assert rules.is_fresh(facts, NOW, HEARTBEAT) is is_fresh


CHOICES: list[Choice] = ["online", "away", "invisible", "offline"]
STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "close", "turn", "beat", *CHOICES]), st.integers(0, 50)), max_size=30
)


@given(steps=STEPS)
def test_after_anything_nobody_is_shown_who_hides_or_is_gone_and_nothing_stays_due(
    steps: list[tuple[str, int]],
) -> None:
    facts, now, gone_since = Facts(), NOW, None
    for step, seconds in steps:
        now += timedelta(seconds=seconds)
        facts = rules.settled(facts, now, GRACE)
        match step:
            case "open":
                facts = rules.woken(replace(facts, sockets=facts.sockets + 1, awake=facts.awake + 1))
            case "close":
                facts = replace(facts, sockets=max(facts.sockets - 1, 0), awake=max(facts.awake - 1, 0))
            case "turn":
                facts = replace(facts, awake=0 if facts.awake else facts.sockets)
            case "beat":
                facts = rules.beaten(facts, now, HEARTBEAT)
            case choice:
                facts = rules.chosen(facts, choice, now, HEARTBEAT)  # type: ignore[arg-type]  # one of the choices
        before, facts = facts, rules.settled(facts, now, GRACE)
        if facts.chosen in HIDING:
            assert (facts.shown, facts.last_seen_at) == ("offline", before.last_seen_at)
        elif facts.sockets:
            assert facts.shown != "offline"
        assert facts.due_at is None or facts.due_at > now, "nothing is looked at again and again"
        until = now + timedelta(days=1) if facts.due_at is None else facts.due_at - timedelta(microseconds=1)
        assert rules.settled(facts, until, GRACE).shown == facts.shown, "nothing changes before it is due"
        is_there = facts.sockets > 0 or (facts.heartbeat_until is not None and facts.heartbeat_until > now)
        gone_since = None if is_there else gone_since or now
        if gone_since is not None and now - gone_since > GRACE:
            assert facts.shown == "offline"
