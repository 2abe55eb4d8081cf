"""Large channels: what is gathered is told as counts, in order, and no client that counts versions finds a gap."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.auth.principal import Principal
from chat_service.realtime.connection import Connection, SocketLimits
from chat_service.realtime.crowd import GATHERED, Crowd
from chat_service.realtime.topic import Joining, Topic
from chatsdk_contracts.ids import AppId, UserId

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DATA: dict[str, dict[str, Any]] = {
    "user.joined": {"userId": "u"},
    "user.left": {"userId": "u"},
    "reaction.added": {"messageId": "m", "counts": {"x": 1}},
    "message.new": {"userId": "u"},
    "channel.updated": {},
    "export.completed": {},
}


async def nowhere(_: str) -> None:
    """What is offered is looked at where it waits."""


class Client(Connection):
    """Keeps the frames that it is offered, and counts versions as docs/realtime.md says."""

    __slots__ = ("frames", "gaps", "known")

    def __init__(self, known: int) -> None:
        super().__init__(
            nowhere,
            connection_id="c",
            caller=Principal("user", AppId("app"), user_id=UserId("ann")),
            token="t",
            client_id=None,
            expires_at=0.0,
            limits=SocketLimits(),
        )
        self.known = known
        self.gaps: list[str] = []
        self.frames: list[dict[str, Any]] = []

    def offer(self, frame: str) -> None:
        told = json.loads(frame)
        self.frames.append(told)
        if told["type"] == "event":
            cv_from = cv = int(told["event"]["sequence"])
        elif "cv" in told:
            cv_from, cv = told.get("cvFrom", told["cv"]), told["cv"]
        else:
            return
        if cv_from > self.known + 1:
            self.gaps.append(frame)
        self.known = max(self.known, cv)


@dataclass
class Channel:
    """A large channel, and everybody who follows it or is about to."""

    topic: Topic = field(default_factory=lambda: Topic(AppId("app"), "channels/c", members=50, large_from=10))
    clients: list[Client] = field(default_factory=list)

    def happen(self, event_type: str) -> None:
        version = self.topic.version + 1
        data = DATA[event_type]
        body = json.dumps({"type": event_type, "sequence": str(version), "data": data}).encode()
        event = self.topic.event(version, event_type, None, body)
        self.topic.forward(event, NOW, data if self.topic.gathers(event_type) else None)

    def join(self) -> None:
        joining = Joining(Client(self.topic.version), self.topic.version)
        self.topic.joining.append(joining)
        self.clients.append(joining.connection)  # type: ignore[arg-type]  # made just here

    def settle(self) -> None:
        for joining in self.topic.joining:
            for event in joining.waiting:
                joining.connection.offer(event.frame)
            self.topic.followers[joining.connection] = None
        self.topic.joining = []


@given(steps=st.lists(st.sampled_from([*DATA, "join", "settle", "second"]), max_size=60))
def test_whatever_is_gathered_and_whenever_they_come_clients_find_no_gap(steps: list[str]) -> None:
    channel = Channel()
    for step in steps:
        match step:
            case "join":
                channel.join()
            case "settle":
                channel.settle()
            case "second":
                channel.topic.tell_crowd(NOW)
            case event_type:
                channel.happen(event_type)
    channel.settle()
    channel.topic.tell_crowd(NOW)

    assert [one.gaps for one in channel.clients] == [[] for _ in channel.clients]
    assert {one.known for one in channel.clients} <= {channel.topic.version}


def test_what_is_gathered_is_told_once_and_before_what_comes_after_it() -> None:
    channel = Channel()
    channel.join()
    channel.settle()
    for event_type in ("user.joined", "user.joined", "user.left", "reaction.added", "message.new"):
        channel.happen(event_type)
    channel.topic.tell_crowd(NOW)

    counted, message = channel.clients[0].frames
    assert counted == {
        "type": "crowd",
        "channelId": "c",
        "cvFrom": 1,
        "cv": 4,
        "joined": 2,
        "left": 1,
        "reactions": [{"messageId": "m", "counts": {"x": 1}}],
    }
    assert message["event"]["sequence"] == "5"
    assert channel.topic.members == 51


@pytest.mark.parametrize(("members", "gathers"), [(10, False), (11, True)])
def test_only_large_channels_are_gathered_and_only_what_many_do(members: int, *, gathers: bool) -> None:
    topic = Topic(AppId("app"), "channels/c", members=members, large_from=10)
    assert {one for one in [*GATHERED, "message.new"] if topic.gathers(one)} == (
        GATHERED if gathers else set()
    )


def test_who_types_is_counted_until_it_ends_or_is_over_and_readers_are_counted_once() -> None:
    crowd = Crowd()
    until = "2026-01-31T12:00:06.000Z"
    for user in ("ann", "bob", "ann"):
        crowd.take("typing.start", {"userId": user, "expiresAt": until}, None)
        crowd.take("message.read", {"userId": user}, None)

    told = [crowd.told("c", NOW), crowd.told("c", NOW)]
    crowd.take("typing.stop", {"userId": "ann", "expiresAt": until}, None)
    told += [crowd.told("c", NOW), crowd.told("c", NOW + timedelta(seconds=7)), crowd.told("c", NOW)]

    assert [None if one is None else json.loads(one) for one in told] == [
        {"type": "crowd", "channelId": "c", "readers": 2, "typing": 2},
        None,
        {"type": "crowd", "channelId": "c", "typing": 1},
        {"type": "crowd", "channelId": "c", "typing": 0},
        None,
    ]


def test_reactions_to_very_many_messages_do_not_wait_for_their_second() -> None:
    crowd = Crowd()
    for number in range(200):
        assert not crowd.is_full
        crowd.take("reaction.added", {"messageId": str(number), "counts": {}}, number + 1)
    assert crowd.is_full
