"""One acknowledgement for many deliveries: only when nothing below it is under way."""

from hypothesis import given
from hypothesis import strategies as st

from chatsdk_runtime.consume import SettledDeliveries


@given(st.permutations(list(range(1, 30))), st.lists(st.integers(1, 6), min_size=1))
def test_an_acknowledgement_never_stands_for_what_is_not_settled(order: list[int], sizes: list[int]) -> None:
    settled, channel = SettledDeliveries(), object()
    handled: set[int] = set()
    remaining, turn = list(order), 0
    while remaining:
        size = sizes[turn % len(sizes)]
        batch, remaining = remaining[:size], remaining[size:]
        turn += 1
        handled.update(batch)
        if settled.covers(channel, batch):
            assert handled >= set(range(1, batch[-1] + 1))
            assert batch[-1] == max(batch)


def test_deliveries_in_order_are_always_covered() -> None:
    settled, channel = SettledDeliveries(), object()

    assert settled.covers(channel, [1, 2, 3])
    assert settled.covers(channel, [4])


def test_a_new_channel_counts_from_one_again() -> None:
    settled = SettledDeliveries()
    settled.covers(object(), [1, 2, 3])

    assert settled.covers("another channel", [1, 2])
    assert not settled.covers("a third channel", [2])
