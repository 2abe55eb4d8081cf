"""Follow what chat redacts in its log, and do the same to the copies that a service keeps.

Chat numbers its redactions; a reader keeps the position up to which it has followed. It waits for its own handling of
the log: a redaction of an event that it has not handled yet would be undone by the copy that comes behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.reconcile import ReadPositions
from chatsdk_runtime.service_client import ChatClient, FeedUnavailable, Redaction

log = structlog.get_logger()

ReadFollowed = Callable[[], Awaitable[int]]
# (redactions, up_to): replace the bytes, forget what was made of them, and keep the position, in one transaction.
Follow = Callable[[Sequence[Redaction], int], Awaitable[None]]

_STEP_S: Final = 10.0


def ready(page: Sequence[Redaction], handled: Mapping[int, int]) -> list[Redaction]:
    """Those at the beginning of a page whose events are handled; what the log has lost is nobody's any more."""
    taken: list[Redaction] = []
    for one in page:
        is_gone = one.body is None
        if not is_gone and (one.lane_pos is None or one.lane_pos > handled.get(one.lane or 0, 0)):
            break
        taken.append(one)
    return taken


class RedactionReader:
    """The loop of one process. `read_handled` says per lane up to where the log is handled."""

    def __init__(
        self,
        chat: ChatClient,
        *,
        read_handled: ReadPositions,
        read_followed: ReadFollowed,
        follow: Follow,
        interval_s: float,
    ) -> None:
        self._chat = chat
        self._read_handled = read_handled
        self._read_followed = read_followed
        self._follow = follow
        self._interval_s = interval_s
        self._position: int | None = None

    async def run(self, heartbeat: Heartbeat) -> None:
        """Follow all that there is, then look again."""
        while True:
            heartbeat.beat()
            try:
                moved = await self.step()
            except FeedUnavailable as problem:
                log.info("redactions_unavailable", reason=str(problem))
                moved = False
            if not moved:
                await self._rest(heartbeat)

    async def step(self) -> bool:
        """Follow one page; False when there is nothing to follow now.

        Raises:
            FeedUnavailable: chat cannot be asked.
        """
        if self._position is None:
            self._position = await self._read_followed()
        page = await self._chat.redactions(after=self._position)
        taken = ready(page, await self._read_handled()) if page else []
        if not taken:
            return False
        # Each process of a service follows for itself, for what it holds in memory; to the database it is the same twice.
        await self._follow(taken, taken[-1].pos)
        self._position = taken[-1].pos
        return True

    async def _rest(self, heartbeat: Heartbeat) -> None:
        rested_s = 0.0
        while rested_s < self._interval_s:
            heartbeat.beat()
            await asyncio.sleep(min(_STEP_S, self._interval_s - rested_s))
            rested_s += _STEP_S
