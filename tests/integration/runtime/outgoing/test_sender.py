"""The sender against receivers that behave: what goes out, what comes back, and which connections are kept."""

import asyncio
import gzip
import json
import re

import pytest
from standardwebhooks import Webhook

from chatsdk_runtime.outgoing.exchange import OutgoingRequest, Reply, SendFailure, Timings
from chatsdk_runtime.outgoing.sender import SenderLimits
from tests.fixtures.hostility import close, hang, redirect, say
from tests.fixtures.receiver import Receiver, answer
from tests.fixtures.sending import SECRET, Names, local_sender, make_request
from tests.waiting import wait_for


async def test_the_request_arrives_byte_for_byte_and_verifies() -> None:
    body = '{"id":"e1","data":{"text":"grüße \\u0000 😀"}}'.encode()
    async with Receiver(SECRET) as receiver, local_sender() as sender:
        result = await sender.send(make_request(f"{receiver.url}/hook?a=b%20c", body))

        (received,) = receiver.received
    assert isinstance(result, Reply)
    assert result.status == 200
    assert received.problem is None
    assert received.path == "/hook?a=b%20c"
    assert received.body == body
    assert Webhook(SECRET).verify(body, received.headers) == json.loads(body)


async def test_the_sender_adds_only_what_http_needs() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        await sender.send(OutgoingRequest(url=receiver.url, headers={"x-own": "1"}, body=b"{}"))

        (received,) = receiver.received
    assert received.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "x-own": "1",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-length": "2",
    }


async def test_a_reply_comes_back_with_its_record() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(answer(503, {"Retry-After": "30", "X-Trace": "abc"}, b"later"))

        result = await sender.send(make_request(receiver.url))

    assert isinstance(result, Reply)
    assert (result.status, result.body_head, result.truncated) == (503, b"later", False)
    assert ("Retry-After", "30") in result.headers
    assert ("X-Trace", "abc") in result.headers
    assert result.dialled_address == "127.0.0.1"
    assert not result.resent
    assert 0 < result.duration_s < 5


async def test_the_phases_are_timed_and_a_kept_connection_has_fewer() -> None:
    names = Names()
    names.answer("hooks.test.example", ["127.0.0.1"])
    async with Receiver() as receiver, local_sender(lookup=names) as sender:
        url = f"http://hooks.test.example:{receiver.port}/"
        first, second = [await sender.send(make_request(url)) for _ in range(2)]

        assert receiver.received[0].headers["host"] == f"hooks.test.example:{receiver.port}"
        assert receiver.connections == 1
    assert first.timings.dns_ms is not None
    assert first.timings.connect_ms is not None
    assert first.timings.tls_ms is None
    assert first.timings.first_byte_ms is not None
    assert first.duration_s * 1000 >= first.timings.connect_ms + first.timings.first_byte_ms
    assert second.timings == Timings(first_byte_ms=second.timings.first_byte_ms)
    assert second.timings.first_byte_ms is not None


async def test_connections_are_kept_and_as_many_as_the_caller_asks_for() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        results = await asyncio.gather(*(sender.send(make_request(receiver.url)) for _ in range(150)))
        opened = receiver.connections
        again = await asyncio.gather(*(sender.send(make_request(receiver.url)) for _ in range(150)))

        assert receiver.connections == opened
    assert {type(result) for result in (*results, *again)} == {Reply}
    assert len(receiver.received) == 300


async def test_an_old_connection_is_not_kept() -> None:
    limits = SenderLimits(connection_age_s=0.0)
    async with Receiver() as receiver, local_sender(limits=limits) as sender:
        results = [await sender.send(make_request(receiver.url)) for _ in range(3)]

        assert receiver.connections == 3
    assert {type(result) for result in results} == {Reply}


async def test_an_idle_connection_is_closed() -> None:
    limits = SenderLimits(idle_s=0.01)
    ended = asyncio.Event()

    async def watch(exchange: object) -> bool:
        await hang(exchange)  # type: ignore[arg-type]  # the behaviour's own argument, passed on
        ended.set()
        return False

    async with Receiver() as receiver, local_sender(limits=limits) as sender:
        receiver.respond(say(b"HTTP/1.1 204 X\r\n\r\n", then=watch))
        await sender.send(make_request(receiver.url))

        await asyncio.wait_for(ended.wait(), 10)


async def test_a_request_that_met_a_dead_kept_connection_goes_out_again_at_once() -> None:
    async with Receiver(SECRET) as receiver, local_sender() as sender:
        receiver.respond(200, close, 201)
        await sender.send(make_request(receiver.url))

        result = await sender.send(make_request(receiver.url))

        assert [one.connection for one in receiver.verified] == [1, 1, 2]
    assert isinstance(result, Reply)
    assert result.status == 201
    assert result.resent


async def test_a_request_goes_out_again_once_only() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(200, close, close)
        await sender.send(make_request(receiver.url))

        result = await sender.send(make_request(receiver.url))

        assert len(receiver.received) == 3
    assert isinstance(result, SendFailure)
    assert (result.kind, result.resent) == ("reset", True)


async def test_a_request_on_a_new_connection_never_goes_out_twice() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(close)

        result = await sender.send(make_request(receiver.url))

        assert len(receiver.received) == 1
    assert isinstance(result, SendFailure)
    assert (result.kind, result.resent) == ("reset", False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_reported_and_not_followed(status: int) -> None:
    async with Receiver() as target, Receiver() as receiver, local_sender() as sender:
        receiver.respond(redirect(f"{target.url}/inner", status))

        result = await sender.send(make_request(receiver.url))

        assert target.connections == 0
        assert len(receiver.received) == 1
    assert isinstance(result, Reply)
    assert result.status == status
    assert ("Location", f"{target.url}/inner") in result.headers


async def test_cookies_are_neither_kept_nor_recorded() -> None:
    names = Names()
    names.answer("hooks.example.com", ["127.0.0.1"])
    async with Receiver() as receiver, local_sender(lookup=names) as sender:
        receiver.always(answer(200, {"Set-Cookie": "session=s3cret; Path=/"}))
        url = f"http://hooks.example.com:{receiver.port}/"
        results = [await sender.send(make_request(url)) for _ in range(2)]

        assert all("cookie" not in received.headers for received in receiver.received)
    assert "s3cret" not in repr(results)
    assert isinstance(results[0], Reply)
    assert ("Set-Cookie", "[redacted]") in results[0].headers


@pytest.mark.parametrize("length", [0, 1, 16_383, 16_384])
async def test_a_body_of_up_to_16_kib_is_kept_whole(length: int) -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.always(answer(200, {}, b"x" * length))
        results = [await sender.send(make_request(receiver.url)) for _ in range(2)]

        assert receiver.connections == 1
    assert all(isinstance(one, Reply) and one.body_head == b"x" * length for one in results)
    assert not any(isinstance(one, Reply) and one.truncated for one in results)


@pytest.mark.parametrize("length", [16_385, 40_000, 300_000])
async def test_of_a_longer_body_16_kib_are_kept(length: int) -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.always(answer(200, {}, b"x" * length))
        results = [await sender.send(make_request(receiver.url)) for _ in range(2)]

    assert all(isinstance(one, Reply) and one.body_head == b"x" * 16_384 for one in results)
    assert all(isinstance(one, Reply) and one.truncated for one in results)


async def test_a_compressed_body_is_kept_as_it_came() -> None:
    body = gzip.compress(b"hello " * 1000)
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(answer(200, {"Content-Encoding": "gzip"}, body))

        result = await sender.send(make_request(receiver.url))

    assert isinstance(result, Reply)
    assert result.body_head == body


async def test_bytes_that_are_no_text_are_kept_as_bytes_and_headers_become_text() -> None:
    body = b"\xff\xfe\x00\x80"
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(answer(200, {"X-Odd": "\xff\xfe", "X-Long": "y" * 5000}, body))

        result = await sender.send(make_request(receiver.url))

    assert isinstance(result, Reply)
    assert result.body_head == body
    headers = dict(result.headers)
    assert headers["X-Odd"] == "\ufffd\ufffd"
    assert headers["X-Long"] == "y" * 1024
    repr(result).encode()  # no lone surrogate anywhere: it can be stored


@pytest.mark.parametrize("head", ["HTTP/1.1 204 X", "HTTP/1.1 304 X", "HTTP/1.0 200 OK", "HTTP/1.1 200"])
async def test_replies_without_a_body_or_a_reason_are_replies(head: str) -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(say(f"{head}\r\n\r\n".encode()))

        result = await sender.send(make_request(receiver.url))

    assert isinstance(result, Reply)
    assert result.status == int(re.findall(r" (\d+)", head)[0])


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Receiver() as receiver, local_sender() as sender:
        result = await sender.send(make_request(receiver.url))

    assert isinstance(result, Reply)


async def test_a_cancelled_send_is_cancelled_and_its_connection_not_used_again() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(hang)
        sending = asyncio.create_task(sender.send(make_request(receiver.url)))
        await receiver.wait_for(1)

        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        result = await sender.send(make_request(receiver.url))
        assert receiver.received[-1].connection == 2
    assert isinstance(result, Reply)


async def test_a_closed_sender_says_so() -> None:
    sender = local_sender()
    await sender.close()

    with pytest.raises(RuntimeError):
        await sender.send(make_request("http://127.0.0.1:9/"))


async def test_closing_ends_what_is_under_way_as_a_failure() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        receiver.respond(hang)
        sending = asyncio.create_task(sender.send(make_request(receiver.url)))
        await receiver.wait_for(1)

        await sender.close()

        result = await sending
    assert isinstance(result, SendFailure)
    assert result.kind == "reset"


async def test_a_header_with_a_line_break_is_never_sent() -> None:
    async with Receiver() as receiver, local_sender() as sender:
        request = OutgoingRequest(url=receiver.url, headers={"x-own": "a\r\nx-other: b"}, body=b"{}")
        result = await sender.send(request)

        await sender.send(make_request(receiver.url))
        assert await wait_for(lambda: len(receiver.received) == 1)
    assert isinstance(result, SendFailure)
    assert result.kind == "internal"
    assert "x-other" not in result.message
