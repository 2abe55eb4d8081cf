"""What an event is to a topic, who sees it, and what a replica binds."""

from typing import Any

import orjson
import pytest
from hypothesis import given

from chat_service.realtime.rules import (
    EVERY_BUCKET,
    as_author_sees,
    as_blocker_sees,
    author_of,
    bindings_for,
    is_for_topic,
    reconnect_after_ms,
    step_for,
    topic_key,
)
from chatsdk_contracts.catalogue import EVENTS
from chatsdk_contracts.envelope import Audience, Event, dataschema_of, encode
from chatsdk_contracts.messages import MessageDeleted, MessageNew
from chatsdk_contracts.moderation import MessageShadowed
from chatsdk_contracts.polls import PollCreated
from chatsdk_contracts.topology import bucket_of, routing_key
from tests.unit.contracts.strategies import events_of


@pytest.mark.parametrize(
    ("known", "version", "step"),
    [(4, 5, "forward"), (4, 4, "drop"), (4, 1, "drop"), (4, 6, "fill"), (0, 1, "forward")],
)
def test_an_event_is_the_next_an_old_one_or_behind_a_gap(known: int, version: int, step: str) -> None:
    assert step_for(known, version) == step


def test_only_members_see_what_is_for_members_and_only_the_user_what_is_for_the_user() -> None:
    for name, event_class in EVENTS.items():
        seen_by_members = is_for_topic(name, "channels/x")
        seen_by_user = is_for_topic(name, "users/x")
        assert seen_by_members == (event_class.audience is Audience.CHANNEL)
        assert seen_by_user == (event_class.audience is Audience.USER)
    assert not is_for_topic("something.newer", "channels/x")


@given(events_of(MessageNew) | events_of(MessageDeleted) | events_of(PollCreated))
def test_what_only_its_author_sees_is_told_to_them_as_it_would_be_to_all(event: Event) -> None:
    plain = orjson.loads(encode(event))
    shadowed = {
        **plain,
        "type": "message.shadowed",
        "dataschema": dataschema_of(MessageShadowed),
        "data": {"channelId": "c", "userId": "eve", "told": plain["type"], "data": plain["data"]},
    }
    assert orjson.loads(as_author_sees(shadowed)) == plain


@given(events_of(MessageNew) | events_of(MessageDeleted))
def test_of_a_message_a_blocker_gets_its_place_and_nothing_else(event: Event) -> None:
    plain = orjson.loads(encode(event))
    seen = as_blocker_sees(plain)
    assert seen is not None
    told = orjson.loads(seen)
    place = {name: plain["data"][name] for name in ("id", "channelId", "seq", "threadSeq", "parentId", "cv")}
    assert told["data"] == {**place, "hidden": True}
    assert {**told, "data": 0} == {**plain, "data": 0}


@pytest.mark.parametrize(
    ("event", "author"),
    [
        ({"type": "message.new", "data": {"userId": "eve"}}, "eve"),
        ({"type": "poll.created", "data": {"createdBy": "eve"}}, "eve"),
        ({"type": "poll.voted", "data": {"userId": "eve"}}, None),
        ({"type": "reaction.added", "data": {"userId": "eve"}}, None),
        ({"type": "user.joined", "data": {"userId": "eve"}}, None),
    ],
)
def test_whose_words_an_event_carries(event: dict[str, Any], author: str | None) -> None:
    assert author_of(event) == author
    assert author != "eve" or as_blocker_sees({"type": "poll.created"}) is None


def test_users_of_two_apps_are_two_topics_and_a_channel_is_one() -> None:
    assert topic_key("a", "users/ann") != topic_key("b", "users/ann")
    assert topic_key("a", "channels/x") == topic_key("b", "channels/x")


def test_a_binding_takes_every_event_of_its_bucket() -> None:
    channel = "01a210d8-fa09-75a3-b85e-eefe385c311b"
    [pattern] = bindings_for({bucket_of(channel)})

    for name in ("message.new", "poll.vote_removed", "user_state.updated"):
        words = routing_key(name, "app", f"channels/{channel}").split(".")
        assert len(words) == len(pattern.split("."))
        assert all(want in {"*", word} for want, word in zip(pattern.split("."), words, strict=True))


def test_a_replica_that_needs_most_buckets_binds_everything_at_once() -> None:
    assert len(bindings_for(set(range(512)))) == 512
    assert bindings_for(set(range(513))) == {EVERY_BUCKET}


def test_clients_come_back_spread_over_the_time_given() -> None:
    times = [reconnect_after_ms(f"socket {number}", spread_ms=1_000) for number in range(1_000)]

    assert all(0 <= one < 1_000 for one in times)
    halves = sum(one < 500 for one in times)
    assert 350 < halves < 650
    assert reconnect_after_ms("any", spread_ms=0) == 0
