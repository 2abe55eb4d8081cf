"""A lane between its numbers and the broker's answers: what goes out, what counts as published, what comes again."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.events.lanes import Lane, Posted
from chat_service.events.rules import LARGEST_WINDOW, NumberedEvent
from chatsdk_runtime.rabbit import Confirmation

NOW_S = 100.0


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def event(pos: int) -> NumberedEvent:
    return NumberedEvent(3, pos, f"id-{pos}", "app", "message.new", "channels/1", (), b"")


def lane_with(count: int, *, window: int = 16) -> Lane:
    """A lane with so many numbered events and nothing posted."""
    lane = Lane(published_pos=0, next_pos=count + 1, window=window)
    for pos in range(1, count + 1):
        lane.keep(event(pos))
    return lane


def post(lane: Lane, loop: asyncio.AbstractEventLoop) -> list[Confirmation]:
    """Let out what may go."""
    confirmations: list[Confirmation] = []
    for _ in range(min(lane.room(NOW_S), len(lane.buffer))):
        confirmations.append(loop.create_future())
        lane.in_flight.append(Posted(lane.buffer.popleft(), confirmations[-1], NOW_S))
    return confirmations


def test_no_more_than_the_window_goes_out(loop: asyncio.AbstractEventLoop) -> None:
    lane = lane_with(10, window=4)
    assert len(post(lane, loop)) == 4
    assert (lane.room(NOW_S), lane.posted_pos, lane.published_pos) == (0, 4, 0)
    assert lane.has_next


def test_what_is_confirmed_behind_a_hole_is_not_published(loop: asyncio.AbstractEventLoop) -> None:
    lane = lane_with(4)
    first, second, third, _ = post(lane, loop)
    second.set_result("ack")
    third.set_result("ack")
    assert (lane.confirm(), lane.published_pos) == (0, 0)
    first.set_result("ack")
    assert (lane.confirm(), lane.published_pos) == (3, 3)
    assert lane.window == 32


def test_a_refusal_stops_the_lane_until_all_is_answered_and_starts_again_there(
    loop: asyncio.AbstractEventLoop,
) -> None:
    lane = lane_with(6, window=4)
    first, second, third, fourth = post(lane, loop)
    first.set_result("ack")
    second.set_exception(ConnectionError("returned"))
    third.set_result("ack")
    assert lane.confirm() == 1
    assert lane.stop_at_refusal() is None, "the fourth is not answered yet"
    assert lane.room(NOW_S) == 0, "nothing goes out behind a refusal"
    fourth.set_result("ack")
    stopped = lane.stop_at_refusal()
    assert stopped is not None
    assert (stopped[0].pos, stopped[1]) == (2, "ConnectionError: returned")
    assert [one.pos for one in lane.buffer] == [2, 3, 4, 5, 6]
    assert (lane.published_pos, lane.posted_pos, lane.window) == (1, 1, 1)
    assert lane.room(lane.not_before_s - 0.01) == 0
    assert lane.room(lane.not_before_s) == 1


def test_pauses_grow_until_something_is_taken(loop: asyncio.AbstractEventLoop) -> None:
    lane = lane_with(2, window=1)
    pauses = []
    for _ in range(8):
        pauses.append(lane.pause_s)
        lane.not_before_s = 0.0
        (refused,) = post(lane, loop)
        refused.set_exception(ConnectionError("nack"))
        assert lane.stop_at_refusal() is not None
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert max(pauses) == 5.0
    lane.not_before_s = 0.0
    (taken,) = post(lane, loop)
    taken.set_result("ack")
    lane.confirm()
    assert lane.pause_s == 0.1


def test_a_gap_is_read_from_the_log() -> None:
    lane = Lane(published_pos=5, next_pos=9)
    lane.keep(event(8))
    assert not lane.has_next
    lane.refill([event(6), event(7), event(8)])
    assert lane.has_next


@given(
    answers=st.lists(st.booleans(), min_size=1, max_size=60),
    order=st.randoms(use_true_random=False),
    window=st.integers(1, LARGEST_WINDOW),
)
def test_whatever_the_broker_says_in_whatever_order_all_is_published_in_the_end(
    answers: list[bool], order: Random, window: int
) -> None:
    lane = lane_with(20, window=window)
    said = iter(answers)
    gone_out: list[int] = []
    with closing(asyncio.new_event_loop()) as loop:
        while not lane.is_published:
            lane.not_before_s = 0.0
            confirmations = post(lane, loop)
            gone_out += [one.event.pos for one in lane.in_flight if one.event.pos not in gone_out]
            order.shuffle(confirmations)
            for one in confirmations:
                answer(one, is_taken=next(said, True))
                before = lane.published_pos
                lane.confirm()
                assert lane.published_pos >= before
                lane.stop_at_refusal()
    assert gone_out == list(range(1, 21))


def answer(confirmation: Confirmation, *, is_taken: bool) -> None:
    """What the broker says."""
    if is_taken:
        confirmation.set_result("ack")
    else:
        confirmation.set_exception(ConnectionError("nack"))
        confirmation.exception()  # asyncio complains of what nobody looks at
