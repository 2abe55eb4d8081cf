"""What is told and forgotten: the last word about a thing, fresh or not at all, and never more than fits."""

from datetime import UTC, datetime

import orjson
from prometheus_client import CollectorRegistry

from chat_service.events.ephemeral import EphemeralChannel
from chat_service.events.log import Cause
from chat_service.instruments import EphemeralInstruments
from chatsdk_contracts.catalogue import parse_event
from chatsdk_contracts.ids import AppId, ChannelId, UserId, new_id
from chatsdk_contracts.presence import Presence, PresenceChanged, Typing, TypingStart, TypingStop
from chatsdk_contracts.topology import routing_key

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
APP, ROOM = AppId(new_id()), ChannelId(new_id())


class Told:
    """A channel whose clock is set by hand, without a broker."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.now_s = 0.0
        self.channel = EphemeralChannel(
            "amqp://127.0.0.1:1", EphemeralInstruments(self.registry), clock_s=lambda: self.now_s
        )

    def typing(self, user: str, event_class: type[TypingStart | TypingStop] = TypingStart) -> None:
        data = Typing(channel_id=ROOM, user_id=UserId(user), expires_at=NOW)
        cause = Cause(APP, NOW, 1, UserId(user))
        self.channel.tell_channel(event_class, cause, ROOM, data, about=UserId(user))

    def present(self, user: str) -> None:
        data = Presence(user_id=UserId(user), status="online", last_seen_at=None)
        self.channel.tell_user(PresenceChanged, Cause(APP, NOW, 1, UserId(user)), UserId(user), data)

    def taken(self) -> list[tuple[str, str]]:
        bodies = [orjson.loads(one.body) for one in self.channel.take(100_000)]
        return [(body["type"], body["data"]["userId"]) for body in bodies]

    def counted(self, outcome: str) -> float:
        found = self.registry.get_sample_value("chatsdk_ephemeral_events_total", {"outcome": outcome})
        return found or 0.0


def test_a_newer_word_takes_the_place_of_one_that_still_waits() -> None:
    told = Told()
    told.typing("ann")
    told.typing("bob")
    told.present("ann")
    told.typing("ann", TypingStop)

    assert told.taken() == [("typing.start", "bob"), ("presence.changed", "ann"), ("typing.stop", "ann")]
    assert told.counted("coalesced") == 1
    assert told.taken() == []


def test_what_is_not_fresh_any_more_and_what_does_not_fit_is_dropped_and_counted() -> None:
    told = Told()
    told.typing("ann")
    told.now_s = 6.0
    told.typing("bob")
    assert told.taken() == [("typing.start", "bob")]
    assert told.counted("dropped") == 1

    for number in range(10_001):
        told.typing(f"u{number}")
    taken = told.taken()
    assert (len(taken), taken[0][1], told.counted("dropped")) == (10_000, "u1", 2)


def test_they_are_sound_events_without_a_version_under_the_key_of_what_they_are_about() -> None:
    told = Told()
    told.typing("ann")
    told.present("ann")
    typing, present = told.channel.take()

    for message in (typing, present):
        event = parse_event(message.body)
        assert (event.sequence, event.appid, event.actorid) == (None, APP, "ann")
        assert message.routing_key == routing_key(event.type, APP, event.subject)
        assert (message.persistent, message.expiration_ms, message.message_id) == (False, None, event.id)
    assert parse_event(typing.body).channelid == ROOM
    assert parse_event(present.body).subject == "users/ann"
