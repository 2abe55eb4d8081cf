"""What waits for a socket: in order, several frames at once, and an end for who does not keep up."""

import asyncio

import pytest

from chat_service.auth.principal import Principal
from chat_service.realtime.connection import Connection, SocketLimits
from chat_service.realtime.protocol import Close
from chatsdk_contracts.ids import AppId, UserId


class Far:
    """The far end: what it got; it reads only while it is willing."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.willing = asyncio.Event()
        self.willing.set()

    async def send(self, text: str) -> None:
        await self.willing.wait()
        self.texts.append(text)


def connect(far: Far, limits: SocketLimits | None = None) -> Connection:
    return Connection(
        far.send,
        connection_id="c",
        caller=Principal("user", AppId("app"), user_id=UserId("ann")),
        token="t",
        client_id=None,
        expires_at=0.0,
        limits=limits or SocketLimits(),
    )


async def test_frames_arrive_in_order_and_what_waits_goes_together() -> None:
    far = Far()
    connection = connect(far)
    for number in range(5):
        connection.offer(f"f{number}")
    connection.close(Close.RESTART)

    code = await connection.run_writer()

    assert code is Close.RESTART
    assert far.texts == ["f0\nf1\nf2\nf3\nf4"]
    assert connection.sent == 5


async def test_one_text_is_bounded_and_nothing_is_lost_between_texts() -> None:
    far = Far()
    connection = connect(far)
    frames = [str(number) * 20_000 for number in range(9)]
    for frame in frames:
        connection.offer(frame)
    connection.close(Close.RESTART)

    await connection.run_writer()

    assert len(far.texts) > 1
    assert [line for text in far.texts for line in text.split("\n")] == frames


@pytest.mark.parametrize("limits", [SocketLimits(frames=10), SocketLimits(characters=100)])
async def test_a_client_that_does_not_read_is_ended_and_holds_nothing(limits: SocketLimits) -> None:
    far = Far()
    far.willing.clear()
    connection = connect(far, limits)
    writer = asyncio.create_task(connection.run_writer())
    for _ in range(20):
        connection.offer("0123456789" * 2)
        await asyncio.sleep(0)

    await asyncio.wait_for(connection.aborted.wait(), timeout=5)
    connection.offer("after the end")

    assert connection.closing is Close.SLOW
    assert connection.is_flushed
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)


async def test_what_is_of_use_only_now_is_left_out_for_who_lags_and_closes_nobody() -> None:
    far = Far()
    connection = connect(far, SocketLimits(frames=4))
    for number in range(6):
        connection.offer_in_passing(f"f{number}")
    assert connection.closing is None
    connection.close(Close.RESTART)

    await connection.run_writer()

    assert far.texts == ["f0\nf1\nf2"]
