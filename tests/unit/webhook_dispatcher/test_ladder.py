"""How long to wait before the next attempt, and how many there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_dispatcher.dispatch.ladder import (
    QUICK,
    STANDARD,
    ProbeWaits,
    custom_ladder,
    named_ladder,
)

CHANCES = st.floats(min_value=0, max_value=1, exclude_max=True)


@pytest.mark.parametrize(("attempt", "plain_s"), [(1, 1.0), (2, 2.0), (3, 4.0)])
@given(chance=CHANCES)
def test_the_quick_ladder_waits_at_least_1_2_4_s_and_at_most_a_quarter_more(
    attempt: int, plain_s: float, chance: float
) -> None:
    wait_s = QUICK.wait_s(attempt, lambda: chance)

    assert wait_s is not None
    assert plain_s <= wait_s <= 1.25 * plain_s


def test_the_quick_ladder_has_four_attempts_in_all() -> None:
    assert QUICK.attempts == 4
    assert QUICK.wait_s(4, lambda: 0.0) is None
    assert QUICK.wait_s(400, lambda: 0.0) is None


def test_the_quick_ladder_leaves_room_for_waking_up_and_dialling() -> None:
    assert QUICK.wait_s(1, lambda: 0.999999) == pytest.approx(1.15)


@given(st.integers(min_value=1, max_value=10), CHANCES)
def test_the_standard_ladder_spreads_each_wait_by_a_fifth(attempt: int, chance: float) -> None:
    plain_s = STANDARD.waits_s[attempt - 1]
    wait_s = STANDARD.wait_s(attempt, lambda: chance)

    assert wait_s is not None
    assert 0.8 * plain_s <= wait_s <= 1.2 * plain_s


def test_the_standard_ladder_climbs_for_about_three_days() -> None:
    assert STANDARD.attempts == 11
    assert 75 <= STANDARD.climb_s / 3600 <= 76


@given(st.lists(st.floats(min_value=0.001, max_value=604_800), min_size=1, max_size=50), CHANCES)
def test_a_custom_ladder_keeps_within_its_bounds_and_ends(waits_s: list[float], chance: float) -> None:
    ladder = custom_ladder(tuple(waits_s))

    waits = [ladder.wait_s(attempt, lambda: chance) for attempt in range(1, ladder.attempts)]
    assert ladder.wait_s(ladder.attempts, lambda: chance) is None
    assert all(
        wait is not None and 0.8 * plain <= wait <= 1.2 * plain
        for wait, plain in zip(waits, waits_s, strict=True)
    )


@pytest.mark.parametrize(
    "waits_s",
    [
        pytest.param((), id="no rung"),
        pytest.param((1.0,) * 51, id="too many rungs"),
        pytest.param((0.0,), id="no wait"),
        pytest.param((-1.0,), id="backwards"),
        pytest.param((604_801.0,), id="more than a week"),
        pytest.param((float("nan"),), id="not a number"),
        pytest.param((float("inf"),), id="for ever"),
    ],
)
def test_a_ladder_that_makes_no_sense_is_refused(waits_s: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        custom_ladder(waits_s)


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError):
        QUICK.wait_s(0, lambda: 0.0)


@pytest.mark.parametrize(
    ("probes", "most_s"), [(0, 30.0), (1, 60.0), (6, 1920.0), (7, 3600.0), (1_000_000, 3600.0)]
)
@given(chance=CHANCES)
def test_a_failing_endpoint_is_left_alone_for_ever_longer_up_to_an_hour(
    probes: int, most_s: float, chance: float
) -> None:
    assert ProbeWaits().wait_s(probes, lambda: chance) == most_s * chance


def test_a_ladder_is_found_by_what_is_stored() -> None:
    assert named_ladder("standard", None) is STANDARD
    assert named_ladder("quick", None) is QUICK
    assert named_ladder("quick", None, quick_unit_s=0.5).waits_s == (0.5, 1.0, 2.0)
    assert named_ladder("custom", (7.0,), quick_unit_s=0.5).waits_s == (7.0,)
