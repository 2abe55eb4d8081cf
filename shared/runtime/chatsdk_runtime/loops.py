"""Supervised background loops: a relay, a consumer, a lease renewal.

A loop that meets an outage of PostgreSQL or RabbitMQ is run again with growing, jittered pauses; anything
else that escapes a loop is our bug, and ends the process (non-zero), so that whoever runs it starts a fresh
one. Each loop has a heartbeat that `/live` reads. There are no other fire-and-forget tasks.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()

Run = Callable[["Heartbeat"], Awaitable[None]]

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


@dataclass(slots=True)
class Heartbeat:
    """When the loop last said that it is alive (monotonic seconds), and whether it waits out an outage."""

    name: str
    stale_after_s: float
    last_s: float = field(default_factory=time.monotonic)
    outage: str | None = None

    def beat(self) -> None:
        """Say "alive, and working"."""
        self.last_s = time.monotonic()
        self.outage = None

    @property
    def age_s(self) -> float:
        """Seconds since the last beat."""
        return time.monotonic() - self.last_s

    @property
    def is_stale(self) -> bool:
        """Whether `/live` should fail."""
        return self.age_s > self.stale_after_s


class BackgroundLoops:
    """The loops of one process, started together, stopped in reverse order."""

    def __init__(self, *, outages: tuple[type[BaseException], ...]) -> None:
        self._outages = outages
        self._tasks: list[tuple[Heartbeat, asyncio.Task[None]]] = []
        self.failed = asyncio.Event()
        self.failure: BaseException | None = None

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """Every loop's heartbeat, in start order."""
        return [heartbeat for heartbeat, _ in self._tasks]

    def start(self, name: str, run: Run, *, stale_after_s: float = 60.0) -> None:
        """Run `run(heartbeat)` until `stop`; it is called again after an outage."""
        heartbeat = Heartbeat(name, stale_after_s)
        task = asyncio.create_task(self._supervise(heartbeat, run), name=name)
        self._tasks.append((heartbeat, task))

    async def stop(self) -> None:
        """Cancel the loops, last started first, and wait for each."""
        while self._tasks:
            _, task = self._tasks.pop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _supervise(self, heartbeat: Heartbeat, run: Run) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            started_s = time.monotonic()
            try:
                await run(heartbeat)
            except asyncio.CancelledError:
                raise
            except self._outages as outage:
                heartbeat.beat()
                heartbeat.outage = f"{type(outage).__name__}: {outage}"
                if time.monotonic() - started_s > _LONGEST_PAUSE_S:
                    pause_s = _FIRST_PAUSE_S
                log.warning(
                    "loop_outage", loop=heartbeat.name, error=heartbeat.outage, retry_in_s=round(pause_s, 2)
                )
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            except Exception as failure:
                log.exception("loop_failed", loop=heartbeat.name)
                self.failure = failure
                self.failed.set()
                return
            else:
                return
