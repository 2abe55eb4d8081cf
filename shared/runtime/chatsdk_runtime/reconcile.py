"""Compare what a consumer has handled with what chat has published, and fetch what is missing.

A consumer keeps one position per lane, "everything up to here is handled", moved in the transaction that
handles. Usually the broker brings everything; when a queue was lost or a database restored, the difference
is read from chat's log and goes down the same deduplicated road.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import structlog

from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.service_client import ChatClient, FeedUnavailable, LoggedEvent

log = structlog.get_logger()

ReadPositions = Callable[[], Awaitable[Mapping[int, int]]]
# (lane, after, events, covers_to): handle them; everything in (after, covers_to] has been given.
HandleMissing = Callable[[int, int, Sequence[LoggedEvent], int], Awaitable[None]]

_UNAVAILABLE_PAUSE_S = 1.0


def advance(position: int, handled: Iterable[int]) -> int:
    """The highest position such that everything up to it is handled; a gap stops it."""
    for candidate in sorted(handled):
        if candidate > position + 1:
            break
        position = max(position, candidate)
    return position


class Reconciler:
    """The comparing loop of one consumer."""

    def __init__(
        self,
        chat: ChatClient,
        *,
        read_positions: ReadPositions,
        handle: HandleMissing,
        interval_s: float,
        grace_s: float,
    ) -> None:
        self._chat = chat
        self._read_positions = read_positions
        self._handle = handle
        self._interval_s = interval_s
        self._grace_s = grace_s

    async def run(self, heartbeat: Heartbeat) -> None:
        """At start after a short grace, then at every interval: what was published a round ago is handled now."""
        published = await self._published(heartbeat)
        await self._wait(self._grace_s, heartbeat)
        while True:
            heartbeat.beat()
            await self._fetch_missing(published, heartbeat)
            published = await self._published(heartbeat)
            await self._wait(self._interval_s, heartbeat)

    async def _published(self, heartbeat: Heartbeat) -> dict[int, int]:
        while True:
            try:
                return {lane.lane: lane.published_pos for lane in await self._chat.lanes()}
            except FeedUnavailable as problem:
                log.info("log_unavailable", reason=str(problem))
                await self._wait(_UNAVAILABLE_PAUSE_S, heartbeat)

    async def _fetch_missing(self, published: Mapping[int, int], heartbeat: Heartbeat) -> None:
        positions = await self._read_positions()
        for lane, target in published.items():
            position = positions.get(lane, 0)
            fetched = 0
            while position < target:
                heartbeat.beat()
                try:
                    page = await self._chat.events(lane, after=position)
                except FeedUnavailable as problem:
                    log.info("log_unavailable", reason=str(problem))
                    return
                if page.covers_to <= position:
                    break
                await self._handle(lane, position, page.events, page.covers_to)
                position = page.covers_to
                fetched += len(page.events)
            if fetched:
                log.warning("reconciled", lane=lane, events=fetched, position=position)

    async def _wait(self, seconds: float, heartbeat: Heartbeat) -> None:
        remaining_s = seconds
        while remaining_s > 0:
            step_s = min(remaining_s, 10.0)
            await asyncio.sleep(step_s)
            heartbeat.beat()
            remaining_s -= step_s
