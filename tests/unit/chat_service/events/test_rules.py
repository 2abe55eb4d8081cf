"""Pure decisions of the relay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.events.rules import (
    LARGEST_WINDOW,
    fair_share,
    next_window,
    positions_for,
)


@pytest.mark.parametrize(("replicas", "share"), [(0, 16), (1, 16), (2, 8), (3, 6), (5, 4), (16, 1), (40, 1)])
def test_lanes_are_shared_evenly_and_none_is_left_over(replicas: int, share: int) -> None:
    assert fair_share(16, replicas) == share
    assert share * max(1, replicas) >= 16


@given(st.lists(st.integers(0, 3), max_size=50), st.lists(st.integers(1, 1_000), min_size=4, max_size=4))
def test_positions_are_dense_per_lane(lanes: list[int], starts: list[int]) -> None:
    first = dict(enumerate(starts))

    given_positions, following = positions_for(sorted(lanes), first)

    for lane in set(lanes):
        mine = [pos for one, pos in zip(sorted(lanes), given_positions, strict=True) if one == lane]
        assert mine == list(range(first[lane], first[lane] + len(mine)))
        assert following[lane] == first[lane] + len(mine)
    assert set(following) == set(lanes)


def test_a_window_is_one_after_a_failure_and_grows_to_its_limit() -> None:
    window = next_window(200, failed=True)
    seen = [window]
    for _ in range(12):
        window = next_window(window, failed=False)
        seen.append(window)

    assert seen[:4] == [1, 2, 4, 8]
    assert seen[-1] == LARGEST_WINDOW
