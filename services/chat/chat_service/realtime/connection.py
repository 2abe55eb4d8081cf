"""One socket: what waits to be sent, and the task that sends it.

Frames are made once and shared by all sockets that get them. What waits is bounded: a client that does not keep
up is closed with a code of its own, comes back, and catches up; it never holds up anybody else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from chat_service.auth.principal import Principal
from chat_service.realtime.protocol import Close
from chatsdk_contracts.ids import AppId, ChannelId, UserId

_FLUSH_CHARACTERS: Final = 65_536

SendText = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """How much may wait for one client, in frames and in characters."""

    frames: int = 2_000
    characters: int = 2 * 1024 * 1024


class Connection:
    """A connected client.

    `follows_all`: also the channels that its user comes into later; `is_settled`: it was brought up to date, so that
    from here on a heartbeat may carry a cursor. `came_meanwhile`: the channels that its user came into
    before that. `blocked`: whose words are not shown to the user.
    """

    __slots__ = (
        "_arrived",
        "_characters",
        "_limits",
        "_send",
        "_waiting",
        "aborted",
        "app_id",
        "blocked",
        "caller",
        "came_meanwhile",
        "client_id",
        "closing",
        "expires_at",
        "follows_all",
        "id",
        "is_settled",
        "sent",
        "started_s",
        "token",
        "topics",
        "user_id",
    )

    def __init__(
        self,
        send: SendText,
        *,
        connection_id: str,
        caller: Principal,
        token: str,
        client_id: str | None,
        expires_at: float,
        limits: SocketLimits,
    ) -> None:
        self._send = send
        self._limits = limits
        self._waiting: deque[str] = deque()
        self._characters = 0
        self._arrived = asyncio.Event()
        self.id = connection_id
        assert caller.user_id is not None, "sockets are of users"
        self.caller = caller
        self.token = token
        self.app_id: AppId = caller.app_id
        self.user_id: UserId = caller.user_id
        self.client_id = client_id
        self.expires_at = expires_at
        self.follows_all = False
        self.is_settled = False
        self.blocked: frozenset[UserId] = frozenset()
        self.came_meanwhile: set[ChannelId] = set()
        self.closing: Close | None = None
        self.topics: set[str] = set()
        self.aborted = asyncio.Event()
        self.sent = 0
        self.started_s = time.monotonic()

    def offer(self, frame: str) -> None:
        """Put a frame into the queue; a queue that is full closes the socket."""
        if self.closing is not None:
            return
        self._waiting.append(frame)
        self._characters += len(frame)
        if len(self._waiting) > self._limits.frames or self._characters > self._limits.characters:
            self.close(Close.SLOW)
        else:
            self._arrived.set()

    def offer_in_passing(self, frame: str) -> None:
        """The same for what is of use only now: left out for a client that has half of its queue before it."""
        if len(self._waiting) * 2 <= self._limits.frames:
            self.offer(frame)

    def close(self, code: Close) -> None:
        """End the socket. A slow one at once, any other when what waits has been sent."""
        if self.closing is not None:
            return
        self.closing = code
        if code is Close.SLOW:
            self._waiting.clear()
            # The writer waits for this very client.
            self.aborted.set()
        self._arrived.set()

    @property
    def is_flushed(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    async def run_writer(self) -> Close:
        """Send what waits until the socket is to be closed; returns why."""
        while True:
            while self._waiting:
                text = self._next_text()
                await self._send(text)
            if self.closing is not None:
                return self.closing
            self._arrived.clear()
            await self._arrived.wait()

    def _next_text(self) -> str:
        """Everything that waits, up to a size, as one text: a frame a line."""
        first = self._waiting.popleft()
        self._characters -= len(first)
        self.sent += 1
        if not self._waiting:
            return first
        lines, size = [first], len(first)
        while self._waiting and size < _FLUSH_CHARACTERS:
            line = self._waiting.popleft()
            self._characters -= len(line)
            size += len(line)
            lines.append(line)
        self.sent += len(lines) - 1
        return "\n".join(lines)
