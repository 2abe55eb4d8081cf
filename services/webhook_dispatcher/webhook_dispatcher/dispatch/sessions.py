"""The worker's session: what its leases name, renewed while the process lives.

A worker that could not renew for three quarters of a session's life starts no attempt: by the time a request
of it could be under way, another worker may own the delivery. The database's clock decides who is dead.
"""

from __future__ import annotations

import asyncio
import time
import uuid

import structlog

from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading, transaction
from webhook_dispatcher.dispatch import session_store
from webhook_dispatcher.dispatch.leases import Session

log = structlog.get_logger()

_SAFE_PART = 0.75


class Sessions:
    """The own session, and the end of others' that died."""

    def __init__(self, pool: Pool, *, renew_s: float, dead_after_s: float) -> None:
        self._pool = pool
        self._renew_s = renew_s
        self.dead_after_s = dead_after_s
        self._id = uuid.uuid4()
        self._generation = 0
        self._renewed_s: float | None = None

    @property
    def current(self) -> Session:
        """The session that new leases name."""
        return Session(self._id, self._generation)

    @property
    def may_start(self) -> bool:
        """Whether an attempt that starts now is certainly still ours to make."""
        if self._renewed_s is None:
            return False
        return time.monotonic() - self._renewed_s <= self.dead_after_s * _SAFE_PART

    async def run(self, heartbeat: Heartbeat) -> None:
        """Renew the session and end dead ones, until cancelled."""
        while True:
            heartbeat.beat()
            await self._renew()
            await self._end_dead()
            await asyncio.sleep(self._renew_s)

    async def close(self) -> None:
        """At shutdown: give back what is still leased. Without the database, others take it when we are dead."""
        self._renewed_s = None
        try:
            async with transaction(self._pool) as tx:
                ended = await session_store.end_sessions(tx, dead_after_s=self.dead_after_s, own=self._id)
                if ended:
                    await session_store.release_leases(tx, ended)
        except DATABASE_AWAY as outage:
            log.info("session_not_closed", error=f"{type(outage).__name__}: {outage}")

    async def _renew(self) -> None:
        # Taken before the question: the answer may be as old as the moment it was asked.
        asked_s = time.monotonic()
        async with reading(self._pool) as connection:
            if self._generation and await session_store.renew_session(
                connection, self.current, dead_after_s=self.dead_after_s
            ):
                self._renewed_s = asked_s
                return
            if self._generation:
                log.warning("session_lost", generation=self._generation)
                self._renewed_s = None
                # What the old generation had leased is given back before the next one begins.
                await self._end_own()
            self._generation += 1
            asked_s = time.monotonic()
            await session_store.open_session(connection, self.current)
            self._renewed_s = asked_s

    async def _end_own(self) -> None:
        async with transaction(self._pool) as tx:
            await session_store.end_sessions(tx, dead_after_s=self.dead_after_s, own=self._id)
            await session_store.release_leases(tx, [self._id])

    async def _end_dead(self) -> None:
        async with transaction(self._pool) as tx:
            ended = await session_store.end_sessions(tx, dead_after_s=self.dead_after_s)
            released = await session_store.release_leases(tx, ended) if ended else 0
        if ended:
            log.warning("dead_sessions_ended", sessions=len(ended), released=released)
