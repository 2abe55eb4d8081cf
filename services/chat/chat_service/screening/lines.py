"""Turns: of a user's messages in a channel one at a time is screened and written, so that they keep their order.

This replica's own: a user who sends to two replicas at once has given up on an order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from chat_service.errors import Overloaded
from chatsdk_contracts.ids import AppId, ChannelId, UserId

_LONGEST_WAIT_S: Final = 5.0

_Place = tuple[AppId, UserId, ChannelId]


@dataclass(slots=True)
class _Line:
    """Those who wait for one user and channel, and whoever's turn it is."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Lines:
    """The lines of all apps. So many of one app may wait or be under way; more are refused.

    That is refused whatever the policy of a hook says: a flood must not be a way around it.
    """

    def __init__(self, most_per_app: int) -> None:
        self._most_per_app = most_per_app
        self._lines: dict[_Place, _Line] = {}
        self._apps: dict[AppId, int] = {}

    @property
    def waiting(self) -> int:
        """How many wait or are under way, of all apps."""
        return sum(self._apps.values())

    @asynccontextmanager
    async def turn(self, app_id: AppId, user_id: UserId, channel_id: ChannelId) -> AsyncIterator[None]:
        """Wait for those before this one.

        Raises:
            Overloaded: too many of this app wait, or it took too long.
        """
        if self._apps.get(app_id, 0) >= self._most_per_app:
            raise Overloaded
        place = (app_id, user_id, channel_id)
        line = self._lines.setdefault(place, _Line())
        line.users += 1
        self._apps[app_id] = self._apps.get(app_id, 0) + 1
        try:
            await _acquire(line.lock)
            try:
                yield
            finally:
                line.lock.release()
        finally:
            self._leave(place, line)

    def _leave(self, place: _Place, line: _Line) -> None:
        line.users -= 1
        if line.users == 0:
            del self._lines[place]
        self._apps[place[0]] -= 1
        if self._apps[place[0]] == 0:
            del self._apps[place[0]]


async def _acquire(lock: asyncio.Lock) -> None:
    try:
        async with asyncio.timeout(_LONGEST_WAIT_S):
            await lock.acquire()
    except TimeoutError:
        raise Overloaded from None
