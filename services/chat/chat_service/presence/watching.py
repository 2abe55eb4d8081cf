"""Which sockets asked for the presence of whom, and the loop that tells them.

An event only says that there is something to look at: what is told is read then, with the right to see it, so that
frames are never older than the ones before, and nobody hears of a user any more with whom no channel is shared.
Questions and changes wait together and are answered by one look at the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chat_service.instruments import PresenceInstruments
from chat_service.presence import view_store
from chat_service.presence.store import UserKey
from chat_service.presence.view_store import Look
from chat_service.realtime.connection import Connection
from chat_service.realtime.hub import Binder
from chat_service.realtime.protocol import MOST_USERS_AT_ONCE, frame
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.presence import Presence
from chatsdk_contracts.topology import bucket_of
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, reading

_LOOKS_AT_ONCE: Final = 5_000
_LINGER_S: Final = 0.05
_REFRESH_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Question:
    connection: Connection
    request: int | None
    looks: Sequence[Look]
    refused: Sequence[UserId]
    answered: asyncio.Future[None]


class Watches:
    """The watchers of one replica."""

    def __init__(self, pool: Pool, instruments: PresenceInstruments) -> None:
        self._pool = pool
        self._instruments = instruments
        self._watchers: dict[UserKey, dict[Connection, None]] = {}
        self._watched: dict[Connection, dict[UserId, None]] = {}
        self._told: dict[UserKey, Presence] = {}
        self._questions: list[_Question] = []
        self._changed: dict[UserKey, None] = {}
        self._roused = asyncio.Event()
        self._refreshed_s = time.monotonic()
        self.binder: Binder | None = None

    async def watch(self, connection: Connection, user_ids: Iterable[UserId], request: int | None) -> None:
        """Tell how these users are, and from now on what changes; not of more than a socket may watch.

        Raises what a database that is away does; then nothing of this is watched.
        """
        looks, new, refused = list[Look](), list[UserId](), list[UserId]()
        mine = self._watched.setdefault(connection, {})
        for user_id in dict.fromkeys(user_ids):
            if user_id not in mine and len(mine) >= MOST_USERS_AT_ONCE:
                refused.append(user_id)
                continue
            if user_id not in mine:
                new.append(user_id)
                mine[user_id] = None
                self._watchers.setdefault((connection.app_id, user_id), {})[connection] = None
            looks.append(Look(connection.app_id, connection.user_id, user_id))
        self._instruments.watched.set(len(self._watchers))
        answered = asyncio.get_running_loop().create_future()
        self._questions.append(_Question(connection, request, looks, refused, answered))
        self._roused.set()
        try:
            await answered
        except BaseException:
            self.unwatch(connection, new)
            raise

    def unwatch(self, connection: Connection, user_ids: Iterable[UserId]) -> None:
        """Tell no more of these."""
        mine = self._watched.get(connection, {})
        for user_id in user_ids:
            if mine.pop(user_id, "absent") is None:
                self._drop(connection, (connection.app_id, user_id))
        if not mine:
            self._watched.pop(connection, None)
        self._instruments.watched.set(len(self._watchers))

    def forget(self, connection: Connection) -> None:
        """The socket is gone."""
        self.unwatch(connection, list(self._watched.get(connection, ())))

    def changed(self, app_id: AppId, user_id: UserId) -> None:
        """Something is new of a user."""
        if (app_id, user_id) in self._watchers:
            self._changed[app_id, user_id] = None
            self._roused.set()

    def doubt(self) -> None:
        """Something may have been missed: look at everybody."""
        self._refreshed_s = -_REFRESH_S
        self._roused.set()

    @property
    def buckets(self) -> set[int]:
        """By which the broker sends us what is new of those who are watched."""
        return {bucket_of(user_id) for _, user_id in self._watchers}

    async def run(self, heartbeat: Heartbeat) -> None:
        """Answer and tell, until cancelled. What an outage of the database interrupts is done after it."""
        while True:
            heartbeat.beat()
            await self._find_missed()
            await self.tell()
            self._roused.clear()
            if self._questions or self._changed:
                continue
            try:
                async with asyncio.timeout(_REFRESH_S / 2):
                    await self._roused.wait()
                await asyncio.sleep(_LINGER_S)
            except TimeoutError:
                continue

    async def tell(self) -> None:
        """Answer what was asked, and tell what changed, as it is now."""
        questions, self._questions = self._questions, []
        begun, self._changed = self._changed, {}
        changed = [(key, one) for key in begun for one in self._watchers.get(key, ())]
        asked = [one for question in questions for one in question.looks]
        try:
            if self.binder is not None and asked:
                # Before it is read: what happens in between is told again, never not at all.
                await self.binder.bind({bucket_of(one.user_id) for one in asked})
            seen = await self._look([*asked, *(_look_of(key, one) for key, one in changed)])
        except BaseException as failure:
            self._changed = begun | self._changed
            for question in questions:
                if not question.answered.done():
                    question.answered.set_exception(failure)
            raise
        for question in questions:
            self._answer(question, seen)
        for key, connection in changed:
            self._tell_watcher(connection, key, seen)

    async def _look(self, looks: Sequence[Look]) -> dict[Look, Presence]:
        seen: dict[Look, Presence] = {}
        if not looks:
            return seen
        async with reading(self._pool) as database:
            for first in range(0, len(looks), _LOOKS_AT_ONCE):
                seen |= await view_store.seen_by(database, looks[first : first + _LOOKS_AT_ONCE])
        return seen

    def _answer(self, question: _Question, seen: Mapping[Look, Presence]) -> None:
        found = [seen[one] for one in question.looks if one in seen]
        refused = [one.user_id for one in question.looks if one not in seen]
        self.unwatch(question.connection, refused)
        for one in found:
            self._note(question.connection, one)
        question.connection.offer(_frame(found, [*refused, *question.refused], question.request))
        if not question.answered.done():
            question.answered.set_result(None)

    def _tell_watcher(self, connection: Connection, key: UserKey, seen: Mapping[Look, Presence]) -> None:
        found = seen.get(_look_of(key, connection))
        if found is None:
            self.unwatch(connection, [key[1]])
            connection.offer(_frame([], [key[1]], None))
        else:
            self._note(connection, found)
            connection.offer(_frame([found], [], None))

    def _note(self, connection: Connection, presence: Presence) -> None:
        key = connection.app_id, presence.user_id
        if key in self._watchers:
            self._told[key] = presence

    async def _find_missed(self) -> None:
        """Whoever is shown otherwise than was told last: events are published and forgotten, and may be lost."""
        if time.monotonic() - self._refreshed_s < _REFRESH_S:
            return
        watched = list(self._watchers)
        async with reading(self._pool) as database:
            for first in range(0, len(watched), _LOOKS_AT_ONCE):
                part = watched[first : first + _LOOKS_AT_ONCE]
                for key, status in (await view_store.shown_now(database, part)).items():
                    told = self._told.get(key)
                    if told is not None and told.status != status:
                        self.changed(*key)
        self._refreshed_s = time.monotonic()

    def _drop(self, connection: Connection, key: UserKey) -> None:
        watchers = self._watchers.get(key, {})
        watchers.pop(connection, None)
        if not watchers:
            self._watchers.pop(key, None)
            self._told.pop(key, None)


def _look_of(key: UserKey, connection: Connection) -> Look:
    app_id, user_id = key
    return Look(app_id, connection.user_id, user_id)


def _frame(users: Sequence[Presence], refused: Sequence[UserId], request: int | None) -> str:
    fields = {} if request is None else {"id": request}
    shown = [one.model_dump(mode="json", by_alias=True) for one in users]
    return frame("presence", **fields, users=shown, refused=list(refused))
