"""The load on sockets: clients of /ws that send, follow and count. A process of its own.

Reads a plan as JSON from the first line of standard input, writes what it saw as JSON to standard output. With
`hold` it says `open` when all sockets are connected and stays so until its standard input ends.

The WebSocket part is the little of RFC 6455 that a well-behaved server needs: unfragmented texts without extensions,
masked with zeros. A client library would take the processor that the server is to be measured with.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from typing import cast

import uvloop

from tests.bench.http_client import TEXT
from tests.bench.table import percentile

_CONNECT_AT_ONCE = 50
_PATIENCE_S = 60.0
_KEY = b'"clientMsgId":"'


@dataclass(frozen=True)
class SocketPlan:
    """Socket n has token n and follows channel n; the first `senders` of them send `messages` each into theirs.

    `rate` 0: the next when the last is acknowledged (with `echo`: when it came back over the broker); else so many a
    second over all. `expected`: message frames that all sockets together shall get; the run ends when they are there.
    """

    port: int
    tokens: list[str]
    channels: list[str]
    senders: int
    messages: int = 0
    rate: float = 0.0
    echo: bool = False
    pipelined: int = 1
    expected: int = 0
    hold: bool = False


@dataclass(frozen=True)
class SocketReport:
    """`ack_*`: from the frame to its result; `frame_*`: from the send to each follower's event. Milliseconds."""

    acks_per_s: float
    ack_p50_ms: float
    ack_p99_ms: float
    frames: int
    frames_per_s: float
    frame_p50_ms: float
    frame_p95_ms: float
    frame_p99_ms: float
    refused: int


@dataclass
class _Seen:
    """What all sockets of the process saw."""

    sent_s: dict[bytes, float] = field(default_factory=dict)
    acks_ms: list[float] = field(default_factory=list)
    frames_ms: list[float] = field(default_factory=list)
    refused: int = 0
    first_s: float = float("inf")
    last_ack_s: float = 0.0
    last_frame_s: float = 0.0
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class _Socket(asyncio.Protocol):
    """One WebSocket."""

    def __init__(self, plan: SocketPlan, number: int, seen: _Seen) -> None:
        self._plan, self._number, self._seen = plan, number, seen
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._is_open = False
        self.opened = asyncio.get_running_loop().create_future()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acked: dict[int, tuple[float, asyncio.Future[None]]] = {}
        self._echoed: dict[bytes, asyncio.Future[None]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def connection_lost(self, error: Exception | None) -> None:
        lost = error or ConnectionError("the server closed the socket")
        waiting = [self.opened, self.ready, *(one for _, one in self._acked.values()), *self._echoed.values()]
        for one in waiting:
            if not one.done():
                one.set_exception(lost)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self._buffer.startswith(b"HTTP/1.1 101"), bytes(self._buffer[:100])
            del self._buffer[: end + 4]
            self._is_open = True
            self.opened.set_result(None)
        self._take_texts()

    def _take_texts(self) -> None:
        buffer, place = self._buffer, 0
        while len(buffer) - place >= 2:
            size, start = buffer[place + 1] & 0x7F, place + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                start += width
                size = int.from_bytes(buffer[place + 2 : start], "big")
            if len(buffer) < start + size:
                break
            if buffer[place] & 0x0F == 1:
                for line in bytes(buffer[start : start + size]).split(b"\n"):
                    self._take(line)
            elif buffer[place] & 0x0F == 9:
                self._write(0x8A, bytes(buffer[start : start + size]))
            place = start + size
        del buffer[:place]

    def _take(self, line: bytes) -> None:
        now_s = time.perf_counter()
        if line.startswith(b'{"type":"event"'):
            self._take_event(line, now_s)
        elif line.startswith(b'{"type":"result","id":'):
            number = int(line[22 : line.index(b",", 22)])
            sent_s, acked = self._acked.pop(number)
            self._seen.acks_ms.append((now_s - sent_s) * 1_000)
            self._seen.last_ack_s = now_s
            if b'"status":201' not in line[:60]:
                self._seen.refused += 1
            acked.set_result(None)
        elif line.startswith((b'{"type":"subscribed"', b'{"type":"result"')):
            assert b'"refused":[]' in line, line
            self.ready.set_result(None)

    def _take_event(self, line: bytes, now_s: float) -> None:
        place = line.find(_KEY)
        if place < 0:
            return
        key = line[place + len(_KEY) : line.index(b'"', place + len(_KEY))]
        seen = self._seen
        seen.frames_ms.append((now_s - seen.sent_s[key]) * 1_000)
        seen.last_frame_s = now_s
        echoed = self._echoed.pop(key, None)
        if echoed is not None:
            echoed.set_result(None)
        if len(seen.frames_ms) == self._plan.expected:
            seen.complete.set()

    def _write(self, head: int, payload: bytes) -> None:
        assert self._transport is not None
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._transport.write(bytes([head]) + length + b"\0\0\0\0" + payload)

    def say(self, text: str) -> None:
        """Send a text."""
        self._write(0x81, text.encode())

    async def start(self) -> None:
        """Connect and follow; returns when the server said so."""
        await self.opened
        self.say(json.dumps({"type": "connect", "token": self._plan.tokens[self._number]}))
        channel = self._plan.channels[self._number]
        self.say(json.dumps({"type": "subscribe", "id": 0, "channels": [{"id": channel}]}))
        await self.ready

    def send(self, number: int, client_id: str) -> list[asyncio.Future[None]]:
        """Send a message; the futures are its acknowledgement and, where asked for, its own echo."""
        now_s = time.perf_counter()
        key = client_id.encode()
        self._seen.sent_s[key] = now_s
        self._seen.first_s = min(self._seen.first_s, now_s)
        loop = asyncio.get_running_loop()
        acked: asyncio.Future[None] = loop.create_future()
        self._acked[number] = (now_s, acked)
        waiting = [acked]
        if self._plan.echo:
            self._echoed[key] = loop.create_future()
            waiting.append(self._echoed[key])
        channel = self._plan.channels[self._number]
        self.say(
            f'{{"type":"message.send","id":{number},"channelId":"{channel}",'
            f'"message":{{"text":"{TEXT}","clientMsgId":"{client_id}"}}}}'
        )
        return waiting

    def close(self) -> None:
        """Go without a word."""
        assert self._transport is not None
        self._transport.abort()


async def _send_all(socket: _Socket, plan: SocketPlan, number: int) -> None:
    run, ids = f"{time.time_ns():020d}-{number:04d}", count(1)

    async def one_by_one(messages: int) -> None:
        for _ in range(messages):
            of_message = next(ids)
            for answer in socket.send(of_message, f"{run}-{of_message:08d}"):
                await answer

    if not plan.rate:
        share, rest = divmod(plan.messages, plan.pipelined)
        await asyncio.gather(*(one_by_one(share + (place < rest)) for place in range(plan.pipelined)))
        return
    step_s = plan.senders / plan.rate
    due_s = time.perf_counter() + step_s * number / plan.senders
    waiting: list[asyncio.Future[None]] = []
    for _ in range(plan.messages):
        due_s += step_s
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        of_message = next(ids)
        waiting += socket.send(of_message, f"{run}-{of_message:08d}")
    await asyncio.gather(*waiting)


async def _connect(plan: SocketPlan, seen: _Seen) -> list[_Socket]:
    loop = asyncio.get_running_loop()
    sockets: list[_Socket] = []
    for first in range(0, len(plan.tokens), _CONNECT_AT_ONCE):
        some: list[_Socket] = []
        for number in range(first, min(first + _CONNECT_AT_ONCE, len(plan.tokens))):
            _, socket = await loop.create_connection(
                partial(_Socket, plan, number, seen), "127.0.0.1", plan.port
            )
            some.append(socket)
        await asyncio.gather(*(socket.start() for socket in some))
        sockets += some
    return sockets


async def _run(plan: SocketPlan) -> SocketReport:
    seen = _Seen()
    async with asyncio.timeout(_PATIENCE_S + len(plan.tokens) / 50 + plan.messages / (plan.rate or 20)):
        sockets = await _connect(plan, seen)
        if plan.hold:
            sys.stdout.write("open\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)
        await asyncio.gather(
            *(_send_all(socket, plan, number) for number, socket in enumerate(sockets[: plan.senders]))
        )
        if plan.expected:
            await seen.complete.wait()
    for socket in sockets:
        socket.close()
    return _report(seen)


def _report(seen: _Seen) -> SocketReport:
    acks: Sequence[float] = sorted(seen.acks_ms) or [0.0]
    frames: Sequence[float] = sorted(seen.frames_ms) or [0.0]
    return SocketReport(
        acks_per_s=len(seen.acks_ms) / max(seen.last_ack_s - seen.first_s, 1e-9),
        ack_p50_ms=percentile(acks, 0.5),
        ack_p99_ms=percentile(acks, 0.99),
        frames=len(seen.frames_ms),
        frames_per_s=len(seen.frames_ms) / max(seen.last_frame_s - seen.first_s, 1e-9),
        frame_p50_ms=percentile(frames, 0.5),
        frame_p95_ms=percentile(frames, 0.95),
        frame_p99_ms=percentile(frames, 0.99),
        refused=seen.refused,
    )


class Held:
    """Sockets that are open, in a process of their own, until `close`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def close(self) -> None:
        """Close them all."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


async def hold(plan: SocketPlan) -> Held:
    """Open the sockets of a plan and do nothing with them; returns when all are open."""
    process = await _started(plan)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n", "the sockets could not be opened"
    return Held(process)


async def load(plan: SocketPlan) -> SocketReport:
    """Run the plan in a process of its own.

    AssertionError if that fails, or a frame was lost, or anything was refused.
    """
    process = await _started(plan)
    out, _ = await process.communicate()
    assert process.returncode == 0, "the load client failed"
    report = SocketReport(**json.loads(out))
    assert not report.refused, f"{report.refused} sends were refused"
    return report


async def _started(plan: SocketPlan) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.socket_client",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
    await process.stdin.drain()
    return process


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(_run(SocketPlan(**json.loads(sys.stdin.readline())))))))
