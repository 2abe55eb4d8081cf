"""One topic of this replica: how far it was forwarded, and to whom. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from chat_service.realtime.connection import Connection
from chat_service.realtime.crowd import GATHERED, Crowd
from chat_service.realtime.protocol import covered_frame, event_frame
from chat_service.realtime.rules import (
    SHADOWED,
    as_author_sees,
    as_blocker_sees,
    author_of,
    is_for_topic,
    topic_key,
)
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.topology import bucket_of, lane_of

LARGE_FROM: Final = 1_000
_MEMBERS_BY: Final[Mapping[str, int]] = {"user.joined": 1, "user.left": -1}
# Events of these carry somebody's words.
_SPEECH: Final = ("message.", "poll.")


@dataclass(slots=True, eq=False)
class TopicEvent:
    """An event on its way to sockets. `pos` is None before it is numbered.

    `frame` is shared by all sockets, but for those of `only_for`, if that is somebody, and those that hide its author.
    """

    version: int
    type: str
    lane: int
    pos: int | None
    frame: str
    body: bytes = b""
    only_for: UserId | None = None
    only_frame: str = ""
    _author: str | None = field(default=None, init=False)
    _hidden_frame: str | None = field(default=None, init=False)

    def frame_for(self, connection: Connection) -> str:
        """The frame that this socket gets."""
        if self.only_for is not None:
            return self.only_frame if connection.user_id == self.only_for else self.frame
        if not connection.blocked or not self.body or not self.type.startswith(_SPEECH):
            return self.frame
        if self._hidden_frame is None:
            self._look_inside()
        return str(self._hidden_frame) if self._author in connection.blocked else self.frame

    def _look_inside(self) -> None:
        """Once for all sockets that hide anybody."""
        event = orjson.loads(self.body)
        self._author = author_of(event)
        hidden = None if self._author is None else as_blocker_sees(event)
        covered = covered_frame(event["channelid"], self.version)
        self._hidden_frame = covered if hidden is None else event_frame(hidden)


@dataclass(slots=True, eq=False)
class Joining:
    """A client that is being brought up to date: what happens meanwhile waits here.

    `farewell` is what a client that is put out meanwhile is told after what waits, instead of anything more.
    """

    connection: Connection
    begun: int
    waiting: list[TopicEvent] = field(default_factory=list)
    farewell: str | None = None


@dataclass(slots=True, eq=False)
class Topic:
    """A channel or user that somebody here follows. `seen` is the newest version that was heard of.

    With more than `large_from` members, `crowd` gathers what the followers are told as counts.
    """

    app_id: AppId
    subject: str
    version: int = 0
    seen: int = 0
    is_filling: bool = False
    members: int = 0
    large_from: int = LARGE_FROM
    crowd: Crowd | None = None
    followers: dict[Connection, None] = field(default_factory=dict)
    joining: list[Joining] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its name."""
        return topic_key(self.app_id, self.subject)

    @property
    def id(self) -> str:
        """The id of its channel or user."""
        return self.subject.partition("/")[2]

    @property
    def bucket(self) -> int:
        """The bucket by which the broker sends us its events."""
        return bucket_of(self.id)

    @property
    def lane(self) -> int:
        """The lane of the log that its events are in."""
        return lane_of(self.subject)

    @property
    def is_channel(self) -> bool:
        """Whether it is a channel's, and not a user's."""
        return self.subject.startswith("channels/")

    @property
    def is_followed(self) -> bool:
        """Whether anybody here needs it."""
        return bool(self.followers or self.joining)

    def event(self, version: int, event_type: str, pos: int | None, body: bytes) -> TopicEvent:
        """A logged event as this topic's followers get it."""
        if event_type == SHADOWED:
            return self._shadowed(version, pos, body)
        if is_for_topic(event_type, self.subject):
            frame = event_frame(body)
        elif self.is_channel:
            frame = covered_frame(self.id, version)
        else:
            frame = ""
        # Who it is by is looked for among a channel's events only: a user's own are for that user.
        return TopicEvent(version, event_type, self.lane, pos, frame, body if self.is_channel else b"")

    def _shadowed(self, version: int, pos: int | None, body: bytes) -> TopicEvent:
        """What its author alone is told; for everybody else nothing happened."""
        event = orjson.loads(body)
        return TopicEvent(
            version,
            SHADOWED,
            self.lane,
            pos,
            covered_frame(self.id, version),
            only_for=UserId(event["data"]["userId"]),
            only_frame=event_frame(as_author_sees(event)),
        )

    def gathers(self, event_type: str) -> bool:
        """Whether so many are here that events of this type are told as counts."""
        return self.members > self.large_from and event_type in GATHERED

    def forward(self, event: TopicEvent, now: datetime, gathered: Mapping[str, Any] | None = None) -> int:
        """Give the next event to every follower, or gather it (its data); returns how many were told something.

        Who joins meanwhile is told each event by itself.
        """
        self.members += _MEMBERS_BY.get(event.type, 0)
        self.version = event.version
        self.seen = max(self.seen, event.version)
        for one in self.joining:
            one.waiting.append(event)
        if gathered is None:
            # In order: what was gathered lies before it.
            return self.tell_crowd(now) + self._show(event)
        return self.gather(event.type, gathered, event.version, now)

    def gather(self, event_type: str, data: Mapping[str, Any], version: int | None, now: datetime) -> int:
        """Keep an event for the frame that tells of many; one that is full goes out, to how many is returned."""
        if self.crowd is None:
            self.crowd = Crowd()
        self.crowd.take(event_type, data, version)
        return self.tell_crowd(now) if self.crowd.is_full else 0

    def tell_crowd(self, now: datetime) -> int:
        """Tell every follower what was gathered; returns to how many."""
        return 0 if self.crowd is None else self.tell(self.crowd.told(self.id, now) or "")

    def _show(self, event: TopicEvent) -> int:
        """Give an event to every follower, to each as they may see it; returns to how many."""
        frame, is_for_one = event.frame, event.only_for is not None
        if not frame:
            return 0
        for connection in self.followers:
            connection.offer(event.frame_for(connection) if is_for_one or connection.blocked else frame)
        return len(self.followers)

    def tell(self, frame: str) -> int:
        """Give a frame to every follower."""
        if not frame:
            return 0
        for connection in self.followers:
            connection.offer(frame)
        return len(self.followers)

    def tell_in_passing(self, frame: str, *, but: str) -> int:
        """Give a frame that is of use only now to every follower who keeps up, except the sockets of one user."""
        told = [one for one in self.followers if one.user_id != but]
        for connection in told:
            connection.offer_in_passing(frame)
        return len(told)

    def reset(self, version: int, frame: str) -> None:
        """Go on from a version without what lies before it; the followers are told to load anew."""
        self.version = version
        self.seen = max(self.seen, version)
        self.crowd = None
        for one in self.joining:
            one.connection.offer(frame)
        self.tell(frame)
