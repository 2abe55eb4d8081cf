"""The receiver of the deliveries: answers 200, counts, remembers when. A process of its own.

`GET /stats` tells first and last arrival (seconds of the wall clock), how many, and the milliseconds from
each event's `time` to its arrival; `GET /reset` starts again.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import cast

import uvloop

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_TIME = b'"time":"'


class _Arrivals:
    """All that came since the last reset: when, and the event's own time as it stood in the body."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, bytes]] = []

    def stats(self) -> bytes:
        latencies = [
            (arrived_s - datetime.fromisoformat(text.decode()).timestamp()) * 1_000
            for arrived_s, text in self.seen
            if text
        ]
        return json.dumps(
            {
                "count": len(self.seen),
                "first": self.seen[0][0] if self.seen else 0,
                "last": self.seen[-1][0] if self.seen else 0,
                "latenciesMs": latencies,
            }
        ).encode()


class _Receiving(asyncio.Protocol):
    def __init__(self, arrivals: _Arrivals) -> None:
        self._arrivals = arrivals
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        while (head_end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:head_end]
            if head.startswith(b"GET"):
                self._buffer = self._buffer[head_end + 4 :]
                self._transport.write(self._told(head))
                continue
            lower = head.lower()
            place = lower.find(b"content-length:")
            end = head_end + 4 + int(lower[place + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
            start = body.find(_TIME) + len(_TIME)
            moment = body[start : body.find(b'"', start)] if start >= len(_TIME) else b""
            self._arrivals.seen.append((time.time(), moment))
            self._transport.write(_OK)

    def _told(self, head: bytes) -> bytes:
        if head.startswith(b"GET /reset"):
            self._arrivals.seen.clear()
        if head.startswith(b"GET /count"):
            body = json.dumps({"count": len(self._arrivals.seen)}).encode()
        else:
            body = self._arrivals.stats()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)


async def _serve(port: int) -> None:
    arrivals = _Arrivals()
    server = await asyncio.get_running_loop().create_server(lambda: _Receiving(arrivals), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
