"""The queue of a writer: fair, bounded per channel, in order, nothing lost."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chat_service.messages.rules import ScreenedSend
from chat_service.messages.waiting import BATCH_LIMIT, CHANNEL_LIMIT, Sent, Waiting, WaitingSend, WriteQueue
from chatsdk_contracts.ids import AppId, ChannelId
from tests.unit.chat_service.messages.sends import a_send


def a_waiting(app: int, channel: int, number: int) -> WaitingSend:
    """One waiting send, told apart by its client id."""
    send = replace(
        a_send(f"{number}"), app_id=AppId(f"app{app}"), channel_id=ChannelId(f"channel{app}-{channel}")
    )
    loop = asyncio.new_event_loop()
    future: asyncio.Future[Sent] = loop.create_future()
    loop.close()
    return WaitingSend(ScreenedSend(send), future, 0.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=400))
def test_everything_put_is_taken_once_and_in_order_per_channel(arrivals: list[tuple[int, int]]) -> None:
    queue = WriteQueue(limit=10_000)
    put = [a_waiting(app, channel, number) for number, (app, channel) in enumerate(arrivals)]
    for one in put:
        queue.put(one)

    taken: list[Waiting] = []
    while len(queue):
        batch = queue.take()
        assert 0 < len(batch) <= BATCH_LIMIT
        per_channel: dict[str, int] = {}
        for waiting in batch:
            channel_id = waiting.wanted.channel_id
            per_channel[channel_id] = per_channel.get(channel_id, 0) + 1
        assert max(per_channel.values()) <= CHANNEL_LIMIT
        taken += batch

    assert len(taken) == len(put)
    for channel in {one.wanted.channel_id for one in put}:
        sent = [one for one in put if one.wanted.channel_id == channel]
        assert [waiting for waiting in taken if waiting.wanted.channel_id == channel] == sent


def test_a_quiet_app_does_not_wait_behind_a_busy_one() -> None:
    queue = WriteQueue(limit=10_000)
    for number in range(1_000):
        queue.put(a_waiting(0, number, number))
    quiet = a_waiting(1, 0, 1_000)
    queue.put(quiet)

    assert quiet in queue.take()


def test_what_is_put_back_comes_first() -> None:
    queue = WriteQueue(limit=10)
    first, second, third = (a_waiting(0, number, number) for number in range(3))
    queue.put(third)

    queue.put_back([first, second])

    assert queue.take() == [first, second, third]


def test_callers_who_went_away_are_left_out() -> None:
    queue = WriteQueue(limit=10)
    gone, stays = a_waiting(0, 0, 0), a_waiting(0, 0, 1)
    gone.outcome.cancel()
    queue.put(gone)
    queue.put(stays)

    assert queue.take() == [stays]
    assert len(queue) == 0


def test_a_full_queue_says_so() -> None:
    queue = WriteQueue(limit=1)
    assert not queue.is_full

    queue.put(a_waiting(0, 0, 0))

    assert queue.is_full
