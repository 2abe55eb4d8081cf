"""Use cases of following: subscribe to channels, or to everything a user is in, without missing or repeating.

A client joins its topics first, so that what happens from then on waits for it; then it is brought up to date from
the database; then it gets what waited, and from there on everything as it comes. Rights are read after joining: a
removal that happens meanwhile waits as an event, and is obeyed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from chat_service.realtime import store
from chat_service.realtime.connection import Connection
from chat_service.realtime.hub import Hub
from chat_service.realtime.protocol import WantedChannel, frame
from chat_service.realtime.rules import topic_key
from chat_service.realtime.topic import Joining, Topic, TopicEvent
from chat_service.sync import actions as sync
from chat_service.sync import cursor as cursors
from chat_service.sync.actions import CaughtUp, Reader
from chat_service.sync.cursor import Cursor
from chat_service.sync.pages import page_of
from chat_service.sync.store import Past, unnumbered_from
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import ChannelId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading, snapshot
from chatsdk_runtime.postgres import Connection as DatabaseConnection

log = structlog.get_logger()

_PAGE: Final = 500


@dataclass(slots=True)
class _Covered:
    """What a client was shown by pages: positions per lane, and the versions of single channels.

    `unnumbered`: per channel, the first version that the last page could not show, because it had no position;
    `joined`: the versions with which the user came into these channels; `left`: the channels that they left so.
    """

    positions: Sequence[int]
    versions: dict[str, int] = field(default_factory=dict)
    unnumbered: dict[str, int] = field(default_factory=dict)
    joined: dict[ChannelId, int] = field(default_factory=dict)
    left: list[Past] = field(default_factory=list)

    def has(self, topic: Topic, event: TopicEvent) -> bool:
        """Whether the client has seen this event."""
        by_position = event.pos is not None and event.pos <= self.positions[event.lane]
        return by_position or event.version <= self.versions.get(topic.subject, 0)

    def is_new(self, topic: Topic) -> bool:
        """Whether the user came into the channel behind what the pages could show: the client does not have it."""
        first = self.unnumbered.get(topic.subject)
        joined = self.joined.get(ChannelId(topic.id), 0)
        return first is not None and joined >= first and joined > self.versions.get(topic.subject, 0)


@dataclass(frozen=True, slots=True)
class _Behind:
    """Where a client begins, and the events that it lacks up to where it joined."""

    begun: int
    events: Sequence[TopicEvent] = ()
    is_reset: bool = False


class Following:
    """What sockets ask of the hub."""

    def __init__(self, hub: Hub, pool: Pool, keyring: Keyring) -> None:
        self._hub = hub
        self._pool = pool
        self._keyring = keyring
        self._tasks: set[asyncio.Task[None]] = set()
        hub.on_joined = self._joined_later

    # ---------------------------------------------------------------------------------- single channels

    async def subscribe(
        self, connection: Connection, wanted: Sequence[WantedChannel], request: int | None
    ) -> None:
        """Follow channels from a version on, or from now on; tells the client which, and which not."""
        since = {ChannelId(one.id): one.cv for one in wanted}
        topics = await self._hub.open(connection.app_id, [subject_of("channels", one) for one in since])
        known = [topic for topic in topics if topic.key in connection.topics]
        # Who follows already has what was gathered, before hearing how far the channel is.
        self._hub.tell_crowds(known)
        followed = [_listed(topic, topic.version) for topic in known]
        joining = {topic: _join(connection, topic) for topic in topics if topic.key not in connection.topics}
        try:
            behind, refused = await self._behind(connection, joining, since)
        except BaseException:
            for topic in joining:
                self._hub.unfollow(connection, topic.key)
            raise
        # Whoever was put out meanwhile is told so, and nothing else of the channel.
        left = [joining[topic].farewell for topic in behind]
        behind = {topic: one for topic, one in behind.items() if joining[topic] in topic.joining}
        followed += [_listed(topic, one.begun) for topic, one in behind.items()]
        connection.offer(frame("subscribed", id=request, channels=followed, refused=refused))
        for farewell in left:
            if farewell is not None:
                connection.offer(farewell)
        for topic, lacking in behind.items():
            self._bring_up(connection, topic, joining[topic], lacking)

    async def _behind(
        self, connection: Connection, joining: Mapping[Topic, Joining], since: Mapping[ChannelId, int | None]
    ) -> tuple[dict[Topic, _Behind], list[dict[str, str]]]:
        """What each channel's client lacks, for those that it may follow; the others are taken off."""
        ids = [ChannelId(topic.id) for topic in joining]
        async with reading(self._pool) as database:
            allowed = await store.allowed(database, connection.app_id, connection.user_id, ids)
        if any((since[one] or 0) > topic.version for one, topic in zip(ids, joining, strict=True)):
            # The client has heard more than this replica, from another one: the database has it too.
            await self._hub.fill_to(await self._hub.heads(list(joining)))
        behind: dict[Topic, _Behind] = {}
        refused: list[dict[str, str]] = []
        for channel_id, topic in zip(ids, joining, strict=True):
            if channel_id not in allowed:
                refused.append({"id": channel_id, "code": "channel_not_found"})
                self._hub.unfollow(connection, topic.key)
            else:
                behind[topic] = await self._lacking(topic, joining[topic], since[channel_id])
        return behind, refused

    async def _lacking(self, topic: Topic, joining: Joining, since: int | None) -> _Behind:
        """The events between the client's version and the one at which it joined; a reset when they are too many."""
        if since is None or since == joining.begun:
            return _Behind(joining.begun)
        missing = joining.begun - since
        if missing < 0:
            # Filled meanwhile up to what the client has, or the client has what never was.
            known = since <= topic.version
            return _Behind(since) if known else _Behind(topic.version, is_reset=True)
        if missing > self._hub.most_filled:
            return _Behind(joining.begun, is_reset=True)
        async with reading(self._pool) as database:
            found = await store.versions_behind(
                database, topic.subject, topic.lane, None, after=since, limit=self._hub.most_filled
            )
        events = [
            topic.event(one.version, one.type, one.pos, one.body)
            for one in found
            if one.version <= joining.begun
        ]
        if [one.version for one in events] != list(range(since + 1, joining.begun + 1)):
            return _Behind(joining.begun, is_reset=True)
        return _Behind(since, events)

    def _bring_up(self, connection: Connection, topic: Topic, joining: Joining, behind: _Behind) -> None:
        if behind.is_reset:
            connection.offer(frame("reset", channelId=topic.id, reason="gap", cv=behind.begun))
        sent = behind.begun
        for event in [*behind.events, *joining.waiting]:
            if event.version > sent:
                _offer(connection, event)
                sent = event.version
        self._settle(connection, topic, joining)

    # --------------------------------------------------------------------------------------- everything

    async def follow_all(self, connection: Connection, cursor: Cursor | None) -> None:
        """Bring a client up to date from its cursor, then follow all that its user is in, now and later."""
        connection.follows_all = True
        app_id, user_id = connection.app_id, connection.user_id
        # The user's own topic first: from here on, coming into a channel is heard.
        own = await self._hub.open(app_id, [subject_of("users", user_id)])
        joining = {topic: _join(connection, topic) for topic in own}
        async with reading(self._pool) as database:
            channels = await store.channels_of(database, app_id, user_id)
        opened = await self._hub.open(app_id, [subject_of("channels", one) for one in channels])
        joining |= {topic: _join(connection, topic) for topic in opened if topic.key not in connection.topics}
        await self._leave_out(connection, joining)
        covered = await self._send_pages(connection, cursor, joining)
        unnumbered = await self._unnumbered(joining, covered)
        for topic, one in joining.items():
            if covered.is_new(topic):
                connection.offer(frame("reset", channelId=topic.id, reason="joined", cv=one.begun))
                covered.versions[topic.subject] = one.begun
            for event in [*unnumbered.get(topic, []), *one.waiting]:
                if not covered.has(topic, event):
                    _offer(connection, event)
            self._settle(connection, topic, one)
        for past in covered.left:
            # Nobody here follows that channel for this client any more: nothing would tell of it later.
            connection.offer(frame("left", channelId=past.channel_id, reason=past.reason))
        connection.is_settled = True
        for channel_id in connection.came_meanwhile:
            self._joined_later(connection, channel_id)
        connection.came_meanwhile.clear()

    async def _leave_out(self, connection: Connection, joining: dict[Topic, Joining]) -> None:
        """Take off the channels that the user left before the client joined them; the pages, or what they lack, say so."""
        channels = {ChannelId(topic.id): topic for topic in joining if topic.is_channel}
        app_id, user_id = connection.app_id, connection.user_id
        async with reading(self._pool) as database:
            allowed = await store.allowed(database, app_id, user_id, list(channels))
        for channel_id, topic in channels.items():
            if channel_id not in allowed:
                self._hub.unfollow(connection, topic.key)
                del joining[topic]

    async def _send_pages(
        self, connection: Connection, cursor: Cursor | None, joining: Mapping[Topic, Joining]
    ) -> _Covered:
        reader = Reader(connection.app_id, connection.user_id, connection.client_id)
        subjects = [topic.subject for topic in joining if topic.is_channel]
        covered = _Covered([0])
        while True:
            async with snapshot(self._pool) as database:
                caught = await sync.catch_up(database, reader, cursor, limit=_PAGE, now=datetime.now(UTC))
                if not caught.filled.has_more:
                    await _note_unnumbered(database, connection, covered, subjects)
            connection.offer(self._page_frame(connection, caught))
            for change in caught.changes:
                covered.versions[subject_of("channels", change.channel_id)] = change.cv
            for reset in caught.filled.reset:
                covered.versions[subject_of("channels", reset.channel_id)] = reset.cv
            cursor = caught.cursor
            covered.positions = cursor.positions
            if not caught.filled.has_more:
                return covered

    def _page_frame(self, connection: Connection, caught: CaughtUp) -> str:
        page = page_of(caught, self._keyring, connection.app_id, connection.user_id)
        return f'{{"type":"sync","page":{data_json(page).decode()}}}'

    async def _unnumbered(
        self, joining: Mapping[Topic, Joining], covered: _Covered
    ) -> dict[Topic, list[TopicEvent]]:
        """Events that were forwarded here before the client joined, and that no page could show: rare."""
        if not covered.unnumbered:
            return {}
        by_subject = {topic.subject: topic for topic in joining}
        async with reading(self._pool) as database:
            found: dict[Topic, list[TopicEvent]] = {}
            for subject, version in covered.unnumbered.items():
                topic = by_subject[subject]
                rows = await store.versions_behind(
                    database, subject, topic.lane, None, after=version - 1, limit=self._hub.most_filled
                )
                found[topic] = [
                    topic.event(row.version, row.type, None, row.body)
                    for row in rows
                    if row.version <= joining[topic].begun
                ]
        return found

    def cursor_of(self, connection: Connection, text: str) -> Cursor | None:
        """The cursor that a client brought; None when it is not one of its user's."""
        return cursors.decode(text, self._keyring, connection.app_id, connection.user_id)

    def cursor_text(self, connection: Connection, cursor: Cursor) -> str:
        """A cursor for a client."""
        return cursors.encode(cursor, self._keyring, connection.app_id, connection.user_id)

    # -------------------------------------------------------------------------------------- coming later

    def _joined_later(self, connection: Connection, channel_id: ChannelId) -> None:
        if not connection.is_settled:
            connection.came_meanwhile.add(channel_id)
            return
        task = asyncio.create_task(self._follow_joined(connection, channel_id), name="follow-joined")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow_joined(self, connection: Connection, channel_id: ChannelId) -> None:
        """A channel that the user just came into: the client loads it, and then has everything."""
        subject = subject_of("channels", channel_id)
        try:
            [topic] = await self._hub.open(connection.app_id, [subject])
            if topic.key in connection.topics or connection.closing is not None:
                return
            joining = _join(connection, topic)
            async with reading(self._pool) as database:
                allowed = await store.allowed(database, connection.app_id, connection.user_id, [channel_id])
        except DATABASE_AWAY as outage:
            # The next heartbeat finds it again, and gives no cursor until then.
            self._hub.unfollow(connection, topic_key(connection.app_id, subject))
            log.info("follow_failed", error=f"{type(outage).__name__}: {outage}")
            return
        if channel_id not in allowed:
            self._hub.unfollow(connection, topic.key)
            return
        connection.offer(frame("reset", channelId=channel_id, reason="joined", cv=joining.begun))
        for event in joining.waiting:
            _offer(connection, event)
        self._settle(connection, topic, joining)

    def _settle(self, connection: Connection, topic: Topic, joining: Joining) -> None:
        """From here on the client gets everything as it comes, unless it was taken off meanwhile."""
        if joining.farewell is not None:
            connection.offer(joining.farewell)
        elif joining in topic.joining:
            topic.joining.remove(joining)
            self._hub.follow(connection, topic)


async def _note_unnumbered(
    database: DatabaseConnection, connection: Connection, covered: _Covered, subjects: Sequence[str]
) -> None:
    """What the page of the same snapshot could not show: events, and that the user came in or left by them."""
    app_id, user_id = connection.app_id, connection.user_id
    pasts = {
        subject_of("channels", one.channel_id): one for one in await store.pasts(database, app_id, user_id)
    }
    first = await unnumbered_from(database, [*subjects, *pasts])
    covered.left = [past for subject, past in pasts.items() if first.get(subject, past.cv + 1) <= past.cv]
    covered.unnumbered = {subject: first[subject] for subject in subjects if subject in first}
    wanted = [ChannelId(one.partition("/")[2]) for one in covered.unnumbered]
    if wanted:
        covered.joined = await store.joined_at_versions(database, app_id, user_id, wanted)


def _join(connection: Connection, topic: Topic) -> Joining:
    joining = Joining(connection, topic.version)
    topic.joining.append(joining)
    connection.topics.add(topic.key)
    return joining


def _offer(connection: Connection, event: TopicEvent) -> None:
    if event.frame:
        connection.offer(event.frame_for(connection))


def _listed(topic: Topic, cv: int) -> dict[str, Any]:
    """A followed channel as the client is told: what is behind this version comes."""
    return {"id": topic.id, "cv": cv}
