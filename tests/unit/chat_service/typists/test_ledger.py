"""What a replica has told of who types: it ends with time, a message, the socket, or another replica's word."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from chat_service.events.ephemeral import EphemeralChannel
from chat_service.events.log import Cause
from chat_service.instruments import EphemeralInstruments, PresenceInstruments
from chat_service.typists.ledger import Typists
from chatsdk_contracts.ids import AppId, ChannelId, UserId, new_id

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
APP, ROOM, ANN, BOB = AppId(new_id()), ChannelId(new_id()), UserId("ann"), UserId("bob")


class Told:
    """A ledger without a broker, and what it would have published."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.channel = EphemeralChannel("amqp://127.0.0.1:1", EphemeralInstruments(registry))
        self.typists = Typists(self.channel, PresenceInstruments(registry), epoch=1, lifetime_s=6)

    def start(self, user: UserId = ANN, *, at_s: float = 0, socket: str | None = None) -> str:
        cause = Cause(APP, NOW + timedelta(seconds=at_s), 1, user)
        return self.typists.start(cause, ROOM, user, socket).event_id

    def end_due(self, at_s: float) -> list[str]:
        self.typists.end_due(NOW + timedelta(seconds=at_s))
        return self.words()

    def words(self) -> list[str]:
        bodies = [orjson.loads(one.body) for one in self.channel.take()]
        return [f"{body['data']['userId']} {body['type'].removeprefix('typing.')}" for body in bodies]

    def hear(self, event_type: str, user: UserId = ANN, event_id: str | None = None) -> None:
        event: dict[str, Any] = {
            "id": event_id or new_id(),
            "type": event_type,
            "data": {"channelId": ROOM, "userId": user},
        }
        self.typists.heard(event, NOW)


def test_who_does_not_say_it_again_has_stopped_when_it_is_over() -> None:
    told = Told()
    told.start()
    told.start(BOB, at_s=1)
    told.start(at_s=4)
    assert told.words() == ["bob start", "ann start"]

    assert told.end_due(6.9) == []
    assert told.end_due(7) == ["bob stop"]
    assert told.end_due(10) == ["ann stop"]
    # A stop is remembered for as long, so that it is not told twice, and then forgotten.
    assert told.typists.sign(ROOM, ANN) is not None
    assert told.end_due(17) == []
    assert told.typists.sign(ROOM, ANN) is None


def test_a_message_ends_it_once_and_one_from_before_it_does_not() -> None:
    told = Told()
    before = new_id()
    told.start()
    told.words()

    told.hear("message.new", event_id=before)
    told.hear("message.new", BOB)
    assert told.words() == []
    told.hear("message.new")
    told.typists.spoke(APP, ROOM, ANN, NOW)
    assert told.words() == ["ann stop"]


def test_the_end_of_a_socket_ends_what_was_typed_on_it_and_nothing_else() -> None:
    told = Told()
    told.start(socket="s1")
    told.start(BOB, socket="s2")
    told.words()

    told.typists.left("s1", NOW)
    told.typists.left("s1", NOW)
    assert told.words() == ["ann stop"]

    told.start(BOB, at_s=4, socket="s3")
    told.typists.left("s2", NOW)
    assert told.words() == ["bob start"], "it went on on another socket"


def test_a_later_word_from_another_replica_is_that_ones_to_end() -> None:
    told = Told()
    own = told.start()
    told.words()
    told.hear("typing.start", event_id=own)
    assert told.typists.sign(ROOM, ANN) is not None, "that was our own"

    told.hear("typing.start")

    assert told.typists.sign(ROOM, ANN) is None
    assert told.end_due(10) == []
