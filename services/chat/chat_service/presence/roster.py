"""The sockets of this replica as the database has them: a row each under a session that is renewed while we live.

Sockets that come, go or turn away are written together, several times a second at most, whatever their number; frames
write nothing. A session that was declared dead over a pause of ours is opened anew with all that is here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

import structlog

from chat_service.doors import utc_now
from chat_service.presence import rules, store
from chat_service.presence.actions import settle
from chat_service.presence.reaping import end_session
from chat_service.presence.rules import PresenceTimes
from chat_service.presence.store import Socket, UserKey
from chat_service.presence.telling import PresenceTeller
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading, transaction

log = structlog.get_logger()

_AT_ONCE: Final = 500
_LINGER_S: Final = 0.05
_SEEN_EVERY_S: Final = 60.0


class Roster:
    """Which sockets are here, and what of that is written."""

    def __init__(self, pool: Pool, teller: PresenceTeller, times: PresenceTimes) -> None:
        self._pool = pool
        self._teller = teller
        self._times = times
        self._session: UUID | None = None
        self._renewed_s = 0.0
        self._noted_s = time.monotonic()
        self._here: dict[str, Socket] = {}
        self._written: dict[str, Socket] = {}
        self._changed: dict[str, None] = {}
        self._active: set[UserKey] = set()
        self._roused = asyncio.Event()

    def opened(self, socket_id: str, user: UserKey) -> None:
        """A user's socket is here."""
        self._put(Socket(socket_id, user))

    def turned(self, socket_id: str, *, is_away: bool) -> None:
        """Nobody sits before this socket any more, or somebody does again."""
        here = self._here.get(socket_id)
        if here is not None and here.is_away != is_away:
            self._put(Socket(socket_id, here.user, is_away))

    def active(self, user: UserKey) -> None:
        """The user did something: noted with that of others, once a minute."""
        self._active.add(user)

    def closed(self, socket_id: str) -> None:
        """A socket is gone."""
        if self._here.pop(socket_id, None) is not None:
            self._note(socket_id)

    @property
    def is_written(self) -> bool:
        """Whether the database has everything."""
        return not self._changed

    async def run(self, heartbeat: Heartbeat) -> None:
        """Renew and write, until cancelled."""
        while True:
            heartbeat.beat()
            await self._renew()
            while self._changed:
                await self._write()
                await self._renew()
            if time.monotonic() - self._noted_s >= _SEEN_EVERY_S:
                await self.note_active()
            self._roused.clear()
            try:
                async with asyncio.timeout(self._times.renew_s):
                    await self._roused.wait()
                await asyncio.sleep(_LINGER_S)
            except TimeoutError:
                continue

    async def note_active(self) -> None:
        """Write of all who did something since the last time that they were seen."""
        users, self._active, self._noted_s = list(self._active), set(), time.monotonic()
        if not users:
            return
        async with reading(self._pool) as connection:
            for first in range(0, len(users), _AT_ONCE):
                await store.note_seen(connection, users[first : first + _AT_ONCE])

    async def leave(self) -> None:
        """At shutdown: our users get the grace of anybody whose socket ended. Without the database others see to it."""
        if self._session is None:
            return
        try:
            changed = await end_session(self._pool, self._session, self._times)
        except DATABASE_AWAY as outage:
            log.info("presence_not_ended", error=f"{type(outage).__name__}: {outage}")
            return
        self._teller.tell(changed, utc_now())

    def _put(self, socket: Socket) -> None:
        self._here[socket.id] = socket
        self._note(socket.id)

    def _note(self, socket_id: str) -> None:
        self._changed[socket_id] = None
        self._roused.set()

    async def _renew(self) -> None:
        if self._session is not None and time.monotonic() - self._renewed_s < self._times.renew_s:
            return
        async with reading(self._pool) as connection:
            if self._session is not None:
                if await store.renew_session(connection, self._session, self._times.dead_after_s):
                    self._renewed_s = time.monotonic()
                    return
                self._lose_session()
            session = uuid4()
            await store.open_session(connection, session)
        self._session, self._renewed_s = session, time.monotonic()

    def _lose_session(self) -> None:
        log.warning("presence_session_lost", sockets=len(self._here))
        self._session = None
        self._written.clear()
        self._changed |= dict.fromkeys(self._here)

    async def _write(self) -> None:
        ids = list(self._changed)[:_AT_ONCE]
        wanted = {one: self._here.get(one) for one in ids}
        put = [one for one in wanted.values() if one is not None and self._written.get(one.id) != one]
        gone = [self._written[one] for one, here in wanted.items() if here is None and one in self._written]
        if (put or gone) and not await self._commit(put, gone):
            return
        for one in put:
            self._written[one.id] = one
        for one in gone:
            del self._written[one.id]
        for socket_id, socket in wanted.items():
            if self._here.get(socket_id) == socket:
                self._changed.pop(socket_id, None)

    async def _commit(self, put: Sequence[Socket], gone: Sequence[Socket]) -> bool:
        """Write and tell; False when our session was lost meanwhile."""
        assert self._session is not None, "renewed before"
        users = list(dict.fromkeys(one.user for one in [*put, *gone]))
        woken = {one.user for one in put if one.id not in self._written}
        async with transaction(self._pool) as tx:
            if not await store.hold_session(tx, self._session, self._times.dead_after_s):
                self._lose_session()
                return False
            await store.lock_users(tx, users)
            await store.insert_sockets(tx, self._session, put)
            await store.delete_sockets(tx, [one.id for one in gone])
            quiet = [one for one in users if one not in woken]
            grace = self._times.grace
            changed = await settle(tx, list(woken), grace, lambda facts, _: rules.woken(facts))
            changed += await settle(tx, quiet, grace)
        self._teller.tell(changed, utc_now())
        return True
