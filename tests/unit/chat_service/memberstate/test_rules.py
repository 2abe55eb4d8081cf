"""A member's private state: what a change changes, and when hiding ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.memberstate import rules
from chat_service.memberstate.rules import PrivateState
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import to_epoch_ms

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = PrivateState(
    channel_id=ChannelId("c"),
    last_seq=7,
    read_generation=0,
    last_read_seq=0,
    muted_until=None,
    starred=False,
    hidden=False,
    hidden_seq=0,
    cleared_seq=0,
    updated_at=NOW,
)


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        (PLAIN, []),
        (rules.muted(PLAIN, until_s=60, now=NOW), ["mutedUntil"]),
        (rules.unmuted(PLAIN), []),
        (rules.starred(PLAIN, on=True), ["starred"]),
        (rules.starred(PLAIN, on=False), []),
        (rules.hidden(PLAIN, on=True, clear_history=False), ["hidden"]),
        (rules.hidden(PLAIN, on=True, clear_history=True), ["clearedSeq", "hidden"]),
        (rules.hidden(PLAIN, on=False, clear_history=False), []),
    ],
)
def test_only_what_is_different_is_told(after: PrivateState, changed: list[str]) -> None:
    assert rules.changed_fields(PLAIN, after) == changed


def test_muting_lasts_as_long_as_asked_or_for_ever() -> None:
    assert rules.muted(PLAIN, until_s=60, now=NOW).muted_until == NOW + timedelta(seconds=60)
    assert rules.muted(PLAIN, until_s=None, now=NOW).muted_until == rules.FOR_EVER
    for_ever = rules.muted(PLAIN, until_s=None, now=NOW)
    assert rules.changed_fields(for_ever, rules.muted(for_ever, until_s=None, now=NOW)) == []


@given(later=st.integers(0, 5))
def test_hiding_ends_with_the_next_message(later: int) -> None:
    hidden = rules.hidden(PLAIN, on=True, clear_history=False)

    assert replace(hidden, last_seq=hidden.last_seq + later).is_hidden is (later == 0)


def test_hiding_again_after_a_message_is_a_change() -> None:
    shown_again = replace(rules.hidden(PLAIN, on=True, clear_history=False), last_seq=8)

    assert rules.changed_fields(shown_again, rules.hidden(shown_again, on=True, clear_history=False)) == [
        "hidden"
    ]


def test_what_was_cleared_stays_cleared_when_the_channel_is_shown() -> None:
    cleared = rules.hidden(PLAIN, on=True, clear_history=True)

    assert rules.hidden(cleared, on=False, clear_history=False).cleared_seq == 7
    assert rules.as_told(cleared, UserId("ann")).hidden


@given(st.integers(0, 9), st.lists(st.tuples(st.booleans(), st.integers(1, 12)), max_size=12))
def test_a_marker_is_the_greatest_pair_of_generation_and_seq(
    begun: int, steps: list[tuple[bool, int]]
) -> None:
    state = replace(PLAIN, last_seq=9, last_read_seq=begun)
    for is_read, seq in steps:
        before = (state.read_generation, state.last_read_seq)
        state = rules.read_up_to(state, seq=seq) if is_read else rules.unread_from(state, seq=seq)
        after = (state.read_generation, state.last_read_seq)
        assert after >= before
        assert 0 <= state.last_read_seq <= 9


@pytest.mark.parametrize("behind_s", [-1, 0, 1])
def test_a_later_change_has_a_later_time_whichever_clock_it_was_made_by(behind_s: int) -> None:
    written = rules.written_at(PLAIN, NOW - timedelta(seconds=behind_s))

    assert to_epoch_ms(written) > to_epoch_ms(PLAIN.updated_at)
    assert written - NOW <= timedelta(seconds=1)
