"""The load: keep-alive connections that send requests whose bytes exist already. A process of its own.

Reads a plan as JSON from standard input, writes what it saw as JSON to standard output. `rate` 0: each
connection sends the next request when the answer is there; else so many a second, spread over all.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import cast

import uvloop

TEXT = "The quick brown fox jumps over the lazy dog, twice, and then asks for more news!"
_ANSWER_S = 30.0


@dataclass(frozen=True)
class LoadPlan:
    """`requests` per connection, of which the first `warm_up` are not counted; connection n uses path n."""

    port: int
    paths: list[str]
    api_key: str
    requests: int
    warm_up: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class LoadReport:
    """Requests a second over all connections; latencies in milliseconds; `refused`: answers that were not 2xx."""

    per_s: float
    p50_ms: float
    p99_ms: float
    counted: int
    refused: int


class _Connection(asyncio.Protocol):
    """One connection with one request under way at most."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        place = head.find(b"content-length:")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < head_end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer = b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    def post(self, request: bytes) -> asyncio.Future[int]:
        """Send; the future is the answer's status."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


class _Requests:
    """Requests of one connection: the same but for `clientMsgId`, which always has the same length."""

    def __init__(self, plan: LoadPlan, path: str, number: int) -> None:
        self._ids = count()
        self._run = f"{time.time_ns():020d}-{number:02d}"
        body = json.dumps({"userId": f"sender-{number}", "text": TEXT, "clientMsgId": "@"})
        before, after = body.split("@")
        length = len(body) - 1 + len(self._client_id(0))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {plan.api_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        self._before, self._after = (head + before).encode(), after.encode()

    def _client_id(self, number: int) -> str:
        return f"{self._run}-{number:08d}"

    def next(self) -> bytes:
        """The bytes of one request."""
        return self._before + self._client_id(next(self._ids)).encode() + self._after


@dataclass
class _Seen:
    latencies_ms: list[float]
    refused: int = 0
    first_s: float = float("inf")
    last_s: float = 0.0


async def _send_all(
    connection: _Connection, requests: _Requests, plan: LoadPlan, number: int, seen: _Seen
) -> None:
    step_s = len(plan.paths) / plan.rate if plan.rate else 0.0
    due_s = time.perf_counter() + step_s * number / len(plan.paths)
    for position in range(plan.warm_up + plan.requests):
        if step_s:
            due_s += step_s
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        request = requests.next()
        started_s = time.perf_counter()
        status = await connection.post(request)
        ended_s = time.perf_counter()
        if status >= 300:
            seen.refused += 1
        elif position >= plan.warm_up:
            seen.latencies_ms.append((ended_s - started_s) * 1_000)
            seen.first_s = min(seen.first_s, started_s)
            seen.last_s = max(seen.last_s, ended_s)
    connection.close()


async def _run(plan: LoadPlan) -> LoadReport:
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    for _ in plan.paths:
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", plan.port)
        connections.append(connection)
    seen = _Seen([])
    async with asyncio.timeout(_ANSWER_S + (plan.requests * len(plan.paths)) / (plan.rate or 100)):
        await asyncio.gather(
            *(
                _send_all(connection, _Requests(plan, path, number), plan, number, seen)
                for number, (connection, path) in enumerate(zip(connections, plan.paths, strict=True))
            )
        )
    return _report(seen)


def _report(seen: _Seen) -> LoadReport:
    ordered: Sequence[float] = sorted(seen.latencies_ms)
    if not ordered:
        return LoadReport(0, 0, 0, 0, seen.refused)
    last = len(ordered) - 1
    return LoadReport(
        per_s=len(ordered) / (seen.last_s - seen.first_s),
        p50_ms=ordered[int(0.5 * last)],
        p99_ms=ordered[int(0.99 * last)],
        counted=len(ordered),
        refused=seen.refused,
    )


async def load(plan: LoadPlan) -> LoadReport:
    """Run the plan in a process of its own.

    AssertionError if that fails or anything was refused.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.http_client",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps(asdict(plan)).encode())
    assert process.returncode == 0, "the load client failed"
    report = LoadReport(**json.loads(out))
    assert not report.refused, f"{report.refused} requests were refused"
    return report


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(_run(LoadPlan(**json.load(sys.stdin)))))))
