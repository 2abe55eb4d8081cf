"""Closes the sockets of those whom a new look would not let in: a token that was taken back, a user that is gone.

A revocation names whom it may concern; the database decides, so that a token minted just behind it keeps its socket.
Whenever the broker may have lost one, every socket is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from chat_service.auth.revocation import Revocation
from chat_service.auth.verifier import TokenVerifier
from chat_service.realtime.connection import Connection
from chat_service.realtime.hub import Hub
from chat_service.realtime.protocol import Close, frame
from chatsdk_runtime.loops import Heartbeat

log = structlog.get_logger()

_IDLE_BEAT_S: Final = 5.0


class SocketGuard:
    """Whose tokens are in doubt on this replica, and the loop that looks them up."""

    def __init__(self, hub: Hub, tokens: TokenVerifier) -> None:
        self._hub = hub
        self._tokens = tokens
        self._doubtful: dict[Connection, None] = {}
        self._roused = asyncio.Event()

    def revoked(self, revocation: Revocation) -> None:
        """Something was taken back: look anew at the sockets that it may concern."""
        self._doubt(one for one in self._hub.connections if revocation.concerns(one.caller))

    def doubt_all(self) -> None:
        """Revocations may have been missed."""
        self._doubt(self._hub.connections)

    @property
    def is_in_doubt(self) -> bool:
        """Whether a socket waits to be looked at."""
        return bool(self._doubtful)

    async def run(self, heartbeat: Heartbeat) -> None:
        """Until cancelled."""
        while True:
            heartbeat.beat()
            # What an outage of the database left is still in doubt.
            if not self._doubtful:
                self._roused.clear()
                try:
                    async with asyncio.timeout(_IDLE_BEAT_S):
                        await self._roused.wait()
                except TimeoutError:
                    continue
            await self._look_at(next(iter(self._doubtful)))

    def _doubt(self, connections: Iterable[Connection]) -> None:
        self._doubtful |= dict.fromkeys(connections)
        if self._doubtful:
            self._roused.set()

    async def _look_at(self, connection: Connection) -> None:
        if connection.closing is None and not await self._tokens.verify_token(connection.token, fresh=True):
            log.info("socket_revoked", app_id=connection.app_id, user_id=connection.user_id)
            connection.offer(frame("goodbye", reason="token_revoked"))
            connection.close(Close.UNAUTHORIZED)
        self._doubtful.pop(connection, None)
