"""Keeps every socket knowing whom its user has blocked: when it comes, and whenever that changes.

The database says whom; the control exchange only that something changed. Whenever the broker may have lost that, every
socket that hides anybody, or may have to, is looked at again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from chat_service.realtime.connection import Connection
from chat_service.realtime.hub import Hub
from chat_service.users.block_store import blocked_by
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, reading

_IDLE_BEAT_S: Final = 5.0


class SocketBlocks:
    """Which users' blocks are to be read anew on this replica, and the loop that reads them."""

    def __init__(self, hub: Hub, pool: Pool) -> None:
        self._hub = hub
        self._pool = pool
        self._stale: dict[tuple[AppId, UserId], None] = {}
        self._roused = asyncio.Event()
        self._changes = 0

    def changed(self, app_id: AppId, user_id: UserId) -> None:
        """The user has blocked somebody, or does so no longer."""
        if self._hub.connections_of(app_id, user_id):
            self._read_anew([(app_id, user_id)])

    def doubt_all(self) -> None:
        """Changes may have been missed."""
        self._read_anew((one.app_id, one.user_id) for one in self._hub.connections)

    async def load(self, connection: Connection) -> None:
        """Let a socket that the hub knows already learn whom it hides."""
        before = self._changes
        async with reading(self._pool) as database:
            connection.blocked = await blocked_by(database, connection.app_id, connection.user_id)
        if self._changes != before:
            # Perhaps this user's, and what was read just now is older.
            self.changed(connection.app_id, connection.user_id)

    async def run(self, heartbeat: Heartbeat) -> None:
        """Until cancelled; what an outage of the database left is still to be read."""
        while True:
            heartbeat.beat()
            if not self._stale:
                self._roused.clear()
                try:
                    async with asyncio.timeout(_IDLE_BEAT_S):
                        await self._roused.wait()
                except TimeoutError:
                    continue
            await self.step()

    async def step(self) -> None:
        """Read one user's blocks anew, if any are stale."""
        for user in list(self._stale)[:1]:
            await self._reload(user)

    def _read_anew(self, users: Iterable[tuple[AppId, UserId]]) -> None:
        self._changes += 1
        self._stale |= dict.fromkeys(users)
        if self._stale:
            self._roused.set()

    async def _reload(self, user: tuple[AppId, UserId]) -> None:
        # Taken off first: a change while the database is asked comes again.
        self._stale.pop(user, None)
        try:
            async with reading(self._pool) as database:
                blocked = await blocked_by(database, *user)
        except BaseException:
            self._stale[user] = None
            raise
        for connection in self._hub.connections_of(*user):
            connection.blocked = blocked
