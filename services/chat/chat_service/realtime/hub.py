"""The hub of a replica: which sockets follow what, and every event to them in order, each once, without a hole.

An event that is the topic's next goes out at once; an old one is dropped; behind a gap the topic is filled from the
log. The broker is the fast path: whatever it loses is found by the version of a later event, after a reconnection,
or at the next heartbeat.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
import structlog

from chat_service.doors import utc_now
from chat_service.instruments import RealtimeInstruments
from chat_service.realtime import store
from chat_service.realtime.connection import Connection
from chat_service.realtime.protocol import Close, event_frame, frame
from chat_service.realtime.rules import is_for_topic, reconnect_after_ms, step_for, topic_key
from chat_service.realtime.topic import LARGE_FROM, Topic
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading

log = structlog.get_logger()

MOST_FILLED: Final = 1_000
_FILLS_AT_ONCE: Final = 4
_FILL_PAUSE_S: Final = 0.25
_DRAIN_STEP_S: Final = 0.02
_CROWD_S: Final = 1.0
# What ends that somebody types, or says so.
_TYPING_SIGNS: Final = frozenset({"typing.start", "typing.stop", "message.new"})


class Binder(Protocol):
    """Who sees to it that the broker sends us a bucket; returns when it does, or when there is no broker now."""

    async def bind(self, buckets: Iterable[int]) -> None:
        """Want these buckets too."""
        ...


JoinListener = Callable[[Connection, ChannelId], None]
TypingListener = Callable[[Mapping[str, Any], datetime], None]
PresenceListener = Callable[[AppId, UserId], None]


class Hub:
    """The sockets of one replica and the topics that they follow."""

    def __init__(
        self,
        pool: Pool,
        instruments: RealtimeInstruments,
        *,
        most_filled: int = MOST_FILLED,
        large_from: int = LARGE_FROM,
    ) -> None:
        self.most_filled = most_filled
        self._large_from = large_from
        self._pool = pool
        self._instruments = instruments
        self._topics: dict[str, Topic] = {}
        self._users: dict[tuple[AppId, UserId], dict[Connection, None]] = {}
        self._fills: set[asyncio.Task[None]] = set()
        self._fill_slots = asyncio.Semaphore(_FILLS_AT_ONCE)
        self._opening = asyncio.Lock()
        self.binder: Binder | None = None
        self.on_joined: JoinListener | None = None
        self.on_typing: TypingListener | None = None
        self.on_presence: PresenceListener | None = None

    # ------------------------------------------------------------------------------------------ sockets

    @property
    def connections(self) -> list[Connection]:
        """Every socket."""
        return [one for ofuser in self._users.values() for one in ofuser]

    def connections_of(self, app_id: AppId, user_id: UserId) -> list[Connection]:
        """A user's sockets on this replica."""
        return list(self._users.get((app_id, user_id), ()))

    def add(self, connection: Connection) -> None:
        """Take a socket in."""
        self._users.setdefault((connection.app_id, connection.user_id), {})[connection] = None
        self._instruments.sockets.inc()

    def remove(self, connection: Connection) -> None:
        """Forget a socket and what only it followed."""
        key = (connection.app_id, connection.user_id)
        mine = self._users.get(key, {})
        if mine.pop(connection, "absent") == "absent":
            return
        if not mine:
            self._users.pop(key, None)
        for name in list(connection.topics):
            self.unfollow(connection, name)
        self._instruments.sockets.dec()

    def follow(self, connection: Connection, topic: Topic) -> None:
        """Let a socket have a topic's events as they come."""
        topic.followers[connection] = None
        connection.topics.add(topic.key)
        self._instruments.subscriptions.inc()

    def unfollow(self, connection: Connection, name: str) -> None:
        """Take a socket off a topic."""
        connection.topics.discard(name)
        topic = self._topics.get(name)
        if topic is None:
            return
        if topic.followers.pop(connection, "absent") is None:
            self._instruments.subscriptions.dec()
        topic.joining = [one for one in topic.joining if one.connection is not connection]
        if not topic.is_followed:
            del self._topics[name]

    async def drain(self, *, spread_ms: int, within_s: float = 1.0) -> None:
        """Ask every client to come back, each at a time of its own, and let them hear it."""
        for connection in self.connections:
            after_ms = reconnect_after_ms(connection.id, spread_ms=spread_ms)
            connection.offer(frame("reconnect", afterMs=after_ms))
            connection.close(Close.RESTART)
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            if all(one.is_flushed for one in self.connections):
                return
            await asyncio.sleep(_DRAIN_STEP_S)

    # ------------------------------------------------------------------------------------------- topics

    @property
    def topics(self) -> list[Topic]:
        """Everything that somebody here follows."""
        return list(self._topics.values())

    def topic(self, name: str) -> Topic | None:
        """One of them."""
        return self._topics.get(name)

    async def open(self, app_id: AppId, subjects: Sequence[str]) -> list[Topic]:
        """The topics of these subjects, ready to be followed; the caller joins them before anything else happens.

        New ones are bound at the broker first and then read from the database: what happens in between comes twice,
        never not at all.
        """
        async with self._opening:
            new = [one for one in subjects if topic_key(app_id, one) not in self._topics]
            if new:
                await self._open(
                    [Topic(app_id, one, is_filling=True, large_from=self._large_from) for one in new]
                )
            return [self._topics[topic_key(app_id, one)] for one in subjects]

    async def _open(self, made: Sequence[Topic]) -> None:
        # Listed before they are read: what comes meanwhile is noticed, and filled in.
        self._topics |= {topic.key: topic for topic in made}
        try:
            if self.binder is not None:
                await self.binder.bind({topic.bucket for topic in made})
            heads = await self.heads(made)
            await self.count_members(made)
        except BaseException:
            for topic in made:
                del self._topics[topic.key]
            raise
        for topic in made:
            topic.version = heads.get(topic.key, 0)
            topic.is_filling = False
            if topic.seen > topic.version:
                self.fill(topic)

    async def heads(self, topics: Sequence[Topic]) -> dict[str, int]:
        """The version of each topic in the database, by name."""
        channels = [ChannelId(one.id) for one in topics if one.is_channel]
        users = [(one.app_id, UserId(one.id)) for one in topics if not one.is_channel]
        heads: dict[str, int] = {}
        async with reading(self._pool) as connection:
            if channels:
                found = await store.channel_heads(connection, channels)
                heads |= {subject_of("channels", one): version for one, version in found.items()}
            if users:
                mine = await store.user_heads(connection, users)
                heads |= {
                    topic_key(app, subject_of("users", user)): head.version
                    for (app, user), head in mine.items()
                }
        return heads

    async def count_members(self, topics: Sequence[Topic]) -> None:
        """Learn which of the channels are large."""
        channels = [ChannelId(one.id) for one in topics if one.is_channel]
        if not channels:
            return
        async with reading(self._pool) as connection:
            counts = await store.member_counts(connection, channels)
        for topic in topics:
            topic.members = counts.get(ChannelId(topic.id), topic.members)

    # ------------------------------------------------------------------------------------------- events

    def receive(self, body: bytes, pos: int | None) -> None:
        """An event from the broker."""
        event = orjson.loads(body)
        subject, event_type = event["subject"], event["type"]
        topic = self._topics.get(topic_key(event["appid"], subject))
        version = event.get("sequence")
        if event_type == "presence.changed":
            if self.on_presence is not None:
                self.on_presence(AppId(event["appid"]), UserId(event["data"]["userId"]))
            return
        if topic is not None and version is None:
            # Outside the topic's order: how far somebody has read, who types.
            self._tell_aside(topic, event, body)
        elif topic is not None:
            self._advance(topic, int(version), event_type, pos, body)
        if event_type == "user.joined":
            self._tell_joined(event)
        elif event_type in _TYPING_SIGNS and self.on_typing is not None:
            self.on_typing(event, utc_now())

    def _tell_aside(self, topic: Topic, event: Mapping[str, Any], body: bytes) -> None:
        event_type = event["type"]
        if not is_for_topic(event_type, topic.subject):
            return
        if topic.gathers(event_type):
            told = topic.gather(event_type, event["data"], None, utc_now())
        elif event_type in _TYPING_SIGNS:
            # Who types knows.
            told = topic.tell_in_passing(event_frame(body), but=event["data"]["userId"])
        else:
            told = topic.tell(event_frame(body))
        self._instruments.frames.inc(told)

    def _advance(self, topic: Topic, version: int, event_type: str, pos: int | None, body: bytes) -> None:
        topic.seen = max(topic.seen, version)
        if topic.is_filling:
            return
        match step_for(topic.version, version):
            case "forward":
                self._forward(topic, version, event_type, pos, body)
            case "fill":
                self.fill(topic)
            case "drop":
                pass

    def _forward(self, topic: Topic, version: int, event_type: str, pos: int | None, body: bytes) -> None:
        event = topic.event(version, event_type, pos, body)
        gathered = orjson.loads(body)["data"] if topic.gathers(event_type) else None
        self._instruments.frames.inc(topic.forward(event, utc_now(), gathered))
        if event_type in {"user.left", "channel.deleted"}:
            self._see_off(topic, event_type, body)

    def tell_crowds(self, topics: Iterable[Topic]) -> None:
        """Tell what was gathered in large channels: from here on their followers have all that was forwarded."""
        for topic in topics:
            self._instruments.frames.inc(topic.tell_crowd(utc_now()))

    async def gather(self, heartbeat: Heartbeat) -> None:
        """Tell it each second, until cancelled."""
        while True:
            heartbeat.beat()
            await asyncio.sleep(_CROWD_S)
            self.tell_crowds(self._topics.values())

    def _see_off(self, topic: Topic, event_type: str, body: bytes) -> None:
        """Who is not in the channel any more has heard of it, and hears nothing after it."""
        data = orjson.loads(body)["data"]
        channel_id = topic.id
        everybody = [*topic.followers, *(one.connection for one in topic.joining)]
        if event_type == "channel.deleted":
            gone, reason = everybody, "deleted"
        else:
            gone = [one for one in everybody if one.user_id == data["userId"]]
            reason = data["reason"]
        told = frame("left", channelId=channel_id, reason=reason)
        for joining in topic.joining:
            joining.farewell = told if joining.connection in gone else None
        for connection in gone:
            if connection in topic.followers:
                connection.offer(told)
            self.unfollow(connection, topic.key)

    def _tell_joined(self, event: dict[str, Any]) -> None:
        user_id, channel_id = event["data"]["userId"], event["data"]["channelId"]
        for connection in self.connections_of(AppId(event["appid"]), UserId(user_id)):
            if connection.follows_all and self.on_joined is not None:
                self.on_joined(connection, ChannelId(channel_id))

    # -------------------------------------------------------------------------------------------- fills

    async def resync(self) -> None:
        """After the broker was away: look in the database for what it did not bring."""
        await self.fill_to(await self.heads(self.topics))

    async def fill_to(self, heads: Mapping[str, int]) -> None:
        """Fill every topic that is behind; returns when all are at these versions."""
        for name, version in heads.items():
            topic = self._topics.get(name)
            if topic is not None and topic.version < version:
                topic.seen = max(topic.seen, version)
                self.fill(topic)
        while self._fills:
            await asyncio.wait(set(self._fills))

    def fill(self, topic: Topic) -> None:
        """Read from the log what the topic lacks, in the background; meanwhile nothing is forwarded."""
        if topic.is_filling:
            return
        topic.is_filling = True
        self._instruments.gaps.inc()
        task = asyncio.create_task(self._fill(topic), name=f"fill-{topic.key}")
        self._fills.add(task)
        task.add_done_callback(self._fills.discard)

    async def _fill(self, topic: Topic) -> None:
        try:
            while topic.seen > topic.version and topic.is_followed:
                try:
                    async with self._fill_slots:
                        await self._fill_once(topic)
                except DATABASE_AWAY as outage:
                    log.info("fill_waits", topic=topic.subject, error=f"{type(outage).__name__}: {outage}")
                    await asyncio.sleep(_FILL_PAUSE_S)
        finally:
            topic.is_filling = False

    async def _fill_once(self, topic: Topic) -> None:
        before, wanted = topic.version, topic.seen
        missing = wanted - before
        events: list[store.LoggedVersion] = []
        if missing <= self.most_filled:
            async with reading(self._pool) as connection:
                app_id = None if topic.is_channel else topic.app_id
                events = await store.versions_behind(
                    connection, topic.subject, topic.lane, app_id, after=before, limit=self.most_filled
                )
        numbers = [event.version for event in events]
        if numbers[:1] != [before + 1] or numbers != list(range(before + 1, before + 1 + len(numbers))):
            # Too much, or not kept any more: whoever follows loads the channel anew.
            channel_id = topic.id if topic.is_channel else None
            topic.reset(wanted, frame("reset", channelId=channel_id, reason="gap", cv=wanted))
            return
        for event in events:
            self._forward(topic, event.version, event.type, event.pos, event.body)
