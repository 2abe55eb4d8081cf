"""The heartbeat: tells every client how far its channels are, as the database has it, and finds what was lost.

One look at the database per replica and interval, whatever the number of sockets. A client that has less than a
heartbeat says has a gap, and one that follows everything gets a cursor to come back with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chat_service.realtime import store
from chat_service.realtime.connection import Connection
from chat_service.realtime.following import Following
from chat_service.realtime.hub import Hub
from chat_service.realtime.protocol import Close, frame
from chat_service.realtime.rules import topic_key
from chat_service.realtime.store import UserHead
from chat_service.sync.cursor import Cursor
from chat_service.sync.rules import oldest_time
from chat_service.sync.store import Head, read_head
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_contracts.wire import format_time
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, snapshot

_STEP_S = 5.0
# No transaction of ours lasts so long, and no two looks are so much further apart than the interval.
_LATELY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the database found: the log's head, and the version of everything that is followed here.

    `came`: who came into which channels lately.
    """

    head: Head
    channels: Mapping[ChannelId, int]
    users: Mapping[tuple[AppId, UserId], UserHead]
    came: Sequence[tuple[AppId, UserId, ChannelId]]
    now: datetime


class SocketHeartbeat:
    """The heartbeat loop of one replica."""

    def __init__(self, hub: Hub, following: Following, pool: Pool, *, interval_s: float) -> None:
        self._hub = hub
        self._following = following
        self._pool = pool
        self._interval_s = interval_s
        self._told: Mapping[ChannelId, int] = {}

    async def run(self, heartbeat: Heartbeat) -> None:
        """Until cancelled."""
        while True:
            heartbeat.beat()
            await self._beat()
            remaining_s = self._interval_s
            while remaining_s > 0:
                await asyncio.sleep(min(_STEP_S, remaining_s))
                remaining_s -= _STEP_S
                heartbeat.beat()

    async def _beat(self) -> None:
        self._end_expired()
        if not self._hub.connections:
            return
        # Who settles after this look is behind it in nothing, but its topics may not be in it.
        settled = [one for one in self._hub.connections if one.is_settled]
        look = await self._look()
        await self._hub.count_members(self._hub.topics)
        await self._hub.fill_to(
            {subject_of("channels", one): cv for one, cv in look.channels.items()}
            | {
                topic_key(app, subject_of("users", user)): own.version
                for (app, user), own in look.users.items()
            }
        )
        unaware = self._find_unaware(look)
        # What is only gathered would look like a gap.
        self._hub.tell_crowds(self._hub.topics)
        changed = {one: cv for one, cv in look.channels.items() if self._told.get(one) != cv}
        for connection in self._hub.connections:
            is_settled = connection.follows_all and connection in settled
            self._tell(connection, look, changed, with_cursor=is_settled and connection not in unaware)
        self._told = look.channels

    def _find_unaware(self, look: _Look) -> set[Connection]:
        """Clients that have yet to hear that their user came into a channel: a cursor now would lead past it."""
        unaware: set[Connection] = set()
        for app_id, user_id, channel_id in look.came:
            topic = self._hub.topic(topic_key(app_id, subject_of("channels", channel_id)))
            for connection in self._hub.connections_of(app_id, user_id):
                if connection.follows_all and (topic is None or connection not in topic.followers):
                    unaware.add(connection)
                    if self._hub.on_joined is not None:
                        self._hub.on_joined(connection, channel_id)
        return unaware

    async def _look(self) -> _Look:
        topics = self._hub.topics
        channels = [ChannelId(one.id) for one in topics if one.is_channel]
        users = list({(one.app_id, one.user_id) for one in self._hub.connections})
        now = datetime.now(UTC)
        async with snapshot(self._pool) as database:
            return _Look(
                await read_head(database),
                await store.channel_heads(database, channels),
                await store.user_heads(database, users),
                await store.joined_since(
                    database, users, now - _LATELY - timedelta(seconds=self._interval_s)
                ),
                now,
            )

    def _tell(
        self, connection: Connection, look: _Look, changed: Mapping[ChannelId, int], *, with_cursor: bool
    ) -> None:
        heads = {
            channel_id: cv
            for channel_id, cv in changed.items()
            if subject_of("channels", channel_id) in connection.topics
        }
        fields = {"at": format_time(look.now), "heads": heads}
        own = look.users.get((connection.app_id, connection.user_id))
        if with_cursor and own is not None:
            cursor = Cursor(
                look.head.epoch,
                look.head.positions,
                own.state_version,
                own.version,
                oldest_time(look.head.oldest, look.now),
            )
            fields["cursor"] = self._following.cursor_text(connection, cursor)
        connection.offer(frame("heartbeat", **fields))

    def _end_expired(self) -> None:
        now_s = time.time()
        for connection in self._hub.connections:
            if connection.expires_at <= now_s:
                connection.offer(frame("goodbye", reason="token_expired"))
                connection.close(Close.UNAUTHORIZED)
