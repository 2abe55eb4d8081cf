"""The sender against receivers that behave badly: each costs at most its deadline and bounded memory."""

import asyncio
import contextlib
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from chatsdk_runtime.outgoing.exchange import FailureKind, Reply, SendFailure, SendResult
from chatsdk_runtime.outgoing.sender import Sender, SenderLimits
from tests.fixtures import hostility
from tests.fixtures.hostility import close, hang, reset, say
from tests.fixtures.receiver import Behaviour, Exchange, Receiver, answer
from tests.fixtures.sending import local_sender, make_request

DEADLINE_S = 0.5
OK = b"HTTP/1.1 200 OK\r\n"


@contextlib.asynccontextmanager
async def at_most(extra_s: float, extra_bytes: int) -> AsyncIterator[None]:
    """Fails if what runs inside takes longer than the deadline and this, or more memory at its peak."""
    tracemalloc.start()
    started = time.monotonic()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < DEADLINE_S + extra_s
    assert peak - before < extra_bytes


async def meet(behaviour: Behaviour, *, at_connect: bool = False) -> SendResult:
    """Send to a receiver that behaves so; afterwards the same sender must still serve a good one."""
    async with Receiver() as bad, Receiver() as good, local_sender() as sender:
        if at_connect:
            bad.at_connect(behaviour)
        else:
            bad.always(behaviour)
        async with at_most(extra_s=0.5, extra_bytes=6_000_000):
            result = await sender.send(make_request(bad.url, timeout_s=DEADLINE_S))
        assert isinstance(await sender.send(make_request(good.url)), Reply)
    return result


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        pytest.param(hang, "timeout", id="never answers"),
        pytest.param(hostility.drip_head, "timeout", id="one byte of the head at a time"),
        pytest.param(say(OK, then=hang), "timeout", id="hangs within the head"),
        pytest.param(say(b"HTTP/1.1 100 Continue\r\n\r\n", then=hang), "timeout", id="hangs after 100"),
        pytest.param(close, "reset", id="closes without an answer"),
        pytest.param(reset, "reset", id="resets without an answer"),
        pytest.param(say(OK, then=close), "reset", id="closes within the head"),
        pytest.param(say(OK, then=reset), "reset", id="resets within the head"),
        pytest.param(say(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol", id="another protocol"),
        pytest.param(say(b"\x00\xff\xfe\x00" * 100), "protocol", id="binary noise"),
        pytest.param(say(b"HTTQ/1.1 200 OK\r\n\r\n"), "protocol", id="almost HTTP"),
        pytest.param(say(b"HTTP/1.1 OK 200\r\n\r\n"), "protocol", id="no status"),
        pytest.param(say(b"HTTP/1.1 -200 OK\r\n\r\n"), "protocol", id="negative status"),
        pytest.param(say(OK + b"X\x00Y: a\r\n\r\n"), "protocol", id="NUL in a header"),
        pytest.param(say(OK + b"Content-Length: -1\r\n\r\n"), "protocol", id="negative length"),
        pytest.param(say(OK + b"Content-Length: 5x\r\n\r\n"), "protocol", id="length that is no number"),
        pytest.param(
            say(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "protocol", id="two lengths"
        ),
        pytest.param(say(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "protocol", id="no chunk"),
        pytest.param(
            say(OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "protocol",
            id="length and chunks",
        ),
        pytest.param(hostility.header_flood, "too_large", id="headers without end"),
        pytest.param(hostility.endless_header, "too_large", id="one header without end"),
        pytest.param(hostility.endless_status_line, "too_large", id="status line without end"),
        pytest.param(hostility.interim_storm, "too_large", id="1xx without end"),
    ],
)
async def test_a_reply_that_does_not_begin_is_a_failure_of_its_kind(
    behaviour: Behaviour, kind: FailureKind
) -> None:
    result = await meet(behaviour)

    assert isinstance(result, SendFailure), result
    assert (result.kind, result.status) == (kind, None), result.detail


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        pytest.param(hostility.drip_body, "timeout", id="one byte of the body at a time"),
        pytest.param(
            say(OK + b"Content-Length: 10\r\n\r\nabc", then=hang), "timeout", id="hangs in the body"
        ),
        pytest.param(
            say(OK + b"Content-Length: 10\r\n\r\nabc", then=close), "reset", id="closes in the body"
        ),
        pytest.param(
            say(OK + b"Content-Length: 10\r\n\r\nabc", then=reset), "reset", id="resets in the body"
        ),
        pytest.param(
            say(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", then=close),
            "reset",
            id="closes in a chunk",
        ),
    ],
)
async def test_a_reply_that_does_not_end_is_a_failure_that_knows_its_status(
    behaviour: Behaviour, kind: FailureKind
) -> None:
    result = await meet(behaviour)

    assert isinstance(result, SendFailure), result
    assert (result.kind, result.status) == (kind, 200), result.detail


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(hostility.infinite_body, id="body without end"),
        pytest.param(hostility.infinite_chunks, id="tiny chunks without end"),
        pytest.param(hostility.ten_gigabytes, id="ten gigabytes"),
    ],
)
async def test_an_endless_body_is_cut_and_the_reply_counts(behaviour: Behaviour) -> None:
    result = await meet(behaviour)

    assert isinstance(result, Reply), result
    assert (result.status, result.truncated, len(result.body_head)) == (200, True, 16_384)
    assert result.duration_s < DEADLINE_S / 2


async def test_an_endless_chunk_extension_is_a_failure() -> None:
    result = await meet(hostility.chunk_extension)

    assert isinstance(result, SendFailure)


async def test_a_compression_bomb_stays_compressed() -> None:
    result = await meet(hostility.bomb())

    assert isinstance(result, Reply)
    assert len(result.body_head) < 20_000
    assert result.body_head.startswith(b"\x1f\x8b")


async def test_an_upgrade_nobody_asked_for_is_an_answer_like_any_other() -> None:
    result = await meet(
        say(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", then=hang)
    )

    assert isinstance(result, Reply)
    assert result.status == 101


async def test_some_interim_replies_are_skipped() -> None:
    result = await meet(say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 5, then=answer(202)))

    assert isinstance(result, Reply)
    assert result.status == 202


@pytest.mark.parametrize(
    ("behaviour", "kinds"),
    [
        pytest.param(hang, {"timeout"}, id="never reads"),
        pytest.param(reset, {"reset"}, id="resets at once"),
        pytest.param(close, {"reset"}, id="closes at once"),
    ],
)
async def test_a_connection_that_ends_before_the_request_is_read(
    behaviour: Behaviour, kinds: set[FailureKind]
) -> None:
    result = await meet(behaviour, at_connect=True)

    assert isinstance(result, SendFailure)
    assert result.kind in kinds


async def test_a_port_where_nobody_listens_is_a_connect_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with local_sender() as sender:
        result = await sender.send(make_request(f"http://127.0.0.1:{port}/"))

    assert isinstance(result, SendFailure)
    assert result.kind == "connect"
    assert str(port) not in result.message


async def test_a_host_that_answers_no_connection_costs_the_connect_time() -> None:
    # A full backlog: the kernel drops further SYNs, which is what a filtering firewall looks like.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as held:
        for _ in range(3):
            one = held.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        async with local_sender(limits=SenderLimits(connect_s=0.3)) as sender:
            result = await sender.send(make_request(f"http://127.0.0.1:{full.getsockname()[1]}/"))

    assert isinstance(result, SendFailure)
    assert result.kind == "connect"
    assert result.duration_s < 2


async def test_a_large_request_to_a_receiver_that_stops_reading_ends_at_the_deadline() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        stuck = asyncio.Event()

        async def stop_reading(exchange: Exchange) -> bool:
            exchange.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport is both ways
            await stuck.wait()
            return False

        receiver.at_connect(stop_reading)
        request = make_request(receiver.url, b"x" * 900_000, timeout_s=DEADLINE_S)
        result = await sender.send(request)

    assert isinstance(result, SendFailure)
    assert result.kind == "timeout"
    assert result.duration_s < DEADLINE_S + 0.5


EXTRA = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"


async def test_a_second_reply_in_the_same_segment_never_answers_the_next_request() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(say(OK + b"Content-Length: 0\r\n\r\n" + EXTRA, then=hang), 201)
        results = [await sender.send(make_request(receiver.url)) for _ in range(2)]

        assert receiver.connections == 2
    assert [one.status for one in results] == [200, 201]


async def test_a_flood_on_an_idle_connection_ends_it_and_never_answers_the_next_request() -> None:
    idle, ended = asyncio.Event(), asyncio.Event()

    async def flood_when_idle(exchange: Exchange) -> bool:
        await idle.wait()
        try:
            await hostility.endlessly(lambda number: EXTRA * 1000)(exchange)
        finally:
            ended.set()
        return False

    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(say(OK + b"Content-Length: 0\r\n\r\n", then=flood_when_idle), 201)
        one = await sender.send(make_request(receiver.url))
        async with at_most(extra_s=2, extra_bytes=3_000_000):
            idle.set()
            await asyncio.wait_for(ended.wait(), 10)
        two = await sender.send(make_request(receiver.url))

        assert receiver.connections == 2
    assert (one.status, two.status) == (200, 201)


async def test_twenty_hanging_and_ten_dripping_receivers_do_not_slow_the_others() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.always(hang, path="/hang")
        receiver.always(hostility.drip_body, path="/drip")
        bad = [
            asyncio.create_task(sender.send(make_request(f"{receiver.url}{path}", timeout_s=2.0)))
            for path in ["/hang"] * 20 + ["/drip"] * 10
        ]
        good = await _send_many(sender, f"{receiver.url}/good", 200)
        all_bad_still_run = not any(one.done() for one in bad)
        results = await asyncio.gather(*bad)

    assert {type(one) for one in good} == {Reply}
    assert all_bad_still_run
    assert {one.kind for one in results if isinstance(one, SendFailure)} == {"timeout"}
    assert max(one.duration_s for one in results) < 2.5


async def _send_many(sender: Sender, url: str, count: int) -> list[SendResult]:
    return [await sender.send(make_request(url)) for _ in range(count)]
