"""The loop that ends what nobody ends: the sockets of dead replicas, and users whose time is over.

Every replica runs it; the locks see to it that each thing is done by one. A user whose last socket was a dead replica's
gets the same grace as one whose socket closed.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from chat_service.doors import utc_now
from chat_service.instruments import PresenceInstruments
from chat_service.presence import store
from chat_service.presence.actions import settle
from chat_service.presence.rules import PresenceTimes
from chat_service.presence.telling import PresenceTeller, Shown
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, Transaction, transaction

log = structlog.get_logger()

_AT_ONCE: Final = 500


class Reaper:
    """One replica's part in it."""

    def __init__(
        self, pool: Pool, teller: PresenceTeller, times: PresenceTimes, instruments: PresenceInstruments
    ) -> None:
        self._pool = pool
        self._teller = teller
        self._times = times
        self._instruments = instruments

    async def run(self, heartbeat: Heartbeat) -> None:
        """Look as often as sessions are renewed; go on at once while there is more."""
        while True:
            heartbeat.beat()
            if not await self.reap() + await self.show_due():
                await asyncio.sleep(min(1.0, self._times.renew_s))

    async def reap(self) -> int:
        """End some of what one dead session held; returns how many sockets, or 0 when there is none."""
        async with transaction(self._pool) as tx:
            session = await store.lock_dead(tx, self._times.dead_after_s)
            if session is None:
                return 0
            ended, changed = await _end_some(tx, session, self._times.grace)
        if ended < _AT_ONCE:
            self._instruments.reaped.inc()
            log.warning("presence_session_reaped", session_id=str(session), sockets=ended)
        self._teller.tell(changed, utc_now())
        return max(ended, 1)

    async def show_due(self) -> int:
        """Show those offline whose time has come; returns how many were looked at."""
        async with transaction(self._pool) as tx:
            due = await store.lock_due(tx, _AT_ONCE)
            changed = await settle(tx, due, self._times.grace)
        self._teller.tell(changed, utc_now())
        return len(due)


async def end_session(pool: Pool, session: UUID, times: PresenceTimes) -> list[Shown]:
    """A replica's own end: what `reap` would do to it."""
    told: list[Shown] = []
    while True:
        async with transaction(pool) as tx:
            ended, changed = await _end_some(tx, session, times.grace)
        told += changed
        if ended < _AT_ONCE:
            return told


async def _end_some(tx: Transaction, session: UUID, grace: timedelta) -> tuple[int, list[Shown]]:
    sockets = await store.sockets_of(tx, session, _AT_ONCE)
    users = list(dict.fromkeys(one.user for one in sockets))
    changed: list[Shown] = []
    if sockets:
        await store.lock_users(tx, users)
        await store.delete_sockets(tx, [one.id for one in sockets])
        changed = await settle(tx, users, grace)
    if len(sockets) < _AT_ONCE:
        await store.delete_session(tx, session)
    return len(sockets), changed
