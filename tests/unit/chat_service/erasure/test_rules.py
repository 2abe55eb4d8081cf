"""What of an event is somebody's: all that they wrote, nothing that others did, and never the event's place."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.erasure.rules import (
    STEPS,
    Person,
    custom_types,
    message_ids_of_votes,
    next_step,
    own_name,
    places_of,
    without,
)
from chatsdk_contracts.catalogue import parse_event
from chatsdk_contracts.envelope import Event, encode
from chatsdk_contracts.ids import UserId
from tests.unit.contracts.strategies import events

ANN = Person(UserId("ann"))


def event(event_type: str, data: dict[str, Any], actor: str | None = None) -> bytes:
    return orjson.dumps({"id": "e1", "type": event_type, "actorid": actor, "data": data})


def data_without(
    event_type: str, data: dict[str, Any], person: Person = ANN, actor: str | None = None
) -> Any:
    redacted = without(event(event_type, data, actor), person)
    return None if redacted is None else orjson.loads(redacted)["data"]


MESSAGE: dict[str, Any] = {
    "id": "m1",
    "userId": "ann",
    "text": "said",
    "attachments": [{"url": "x"}],
    "custom": {"a": "b"},
    "mentions": ["bob"],
    "mentionGroups": ["here"],
    "linkPreviews": [{"url": "x"}],
    "clientMsgId": "c1",
    "hlc": "1",
    "reactionCounts": {"👍": 2},
}
EMPTY: dict[str, Any] = {
    "id": "m1",
    "userId": "ann",
    "text": "",
    "attachments": [],
    "custom": {},
    "mentions": [],
    "mentionGroups": [],
    "linkPreviews": [],
    "clientMsgId": "erased-m1",
    "hlc": None,
    "reactionCounts": {"👍": 2},
}


@pytest.mark.parametrize("name", ["message.new", "message.updated", "message.pinned", "message.held"])
def test_a_message_of_the_user_says_nothing_any_more(name: str) -> None:
    assert data_without(name, MESSAGE) == EMPTY


@pytest.mark.parametrize(
    ("event_type", "data", "person", "expected"),
    [
        # Others' words are theirs, but for the mention of the user, and for reactions that the user made up.
        ("message.new", {**MESSAGE, "userId": "bob"}, ANN, None),
        ("message.new", {"userId": "bob", "text": "hi", "mentions": ["cat", "ann"]}, ANN,
         {"userId": "bob", "text": "hi", "mentions": ["cat"]}),
        ("message.updated", {"userId": "bob", "text": "hi", "reactionCounts": {":a:": 1, "👍": 1}},
         Person(UserId("ann"), reactions=frozenset({":a:"})),
         {"userId": "bob", "text": "hi", "reactionCounts": {"👍": 1}}),
        # Whose messages stay keeps their words.
        ("message.new", MESSAGE, Person(UserId("ann"), words="keep"), None),
        ("poll.created", {"createdBy": "ann", "question": "?", "options": []},
         Person(UserId("ann"), words="keep"), None),
        ("reaction.added", {"userId": "ann", "type": ":a:", "counts": {":a:": 2}}, ANN,
         {"userId": "ann", "type": ":erased:", "counts": {":a:": 2}}),
        ("reaction.added", {"userId": "ann", "type": "👍", "counts": {"👍": 1}}, ANN, None),
        ("reaction.added", {"userId": "bob", "type": ":a:", "counts": {":a:": 1}}, ANN, None),
        ("poll.created", {"createdBy": "ann", "question": "?", "options": [{"id": "x", "text": "y"}]}, ANN,
         {"createdBy": "ann", "question": "", "options": [{"id": "1", "text": ""}]}),
        ("poll.closed", {"createdBy": "bob", "question": "?", "options": []}, ANN, None),
        ("poll.voted", {"messageId": "m1", "optionIds": ["x"], "counts": {"x": 1}},
         Person(UserId("ann"), messages=frozenset({"m1"})),
         {"messageId": "m1", "optionIds": [], "counts": {}}),
        ("poll.voted", {"messageId": "m2", "userId": "ann", "optionIds": ["x"], "counts": {"x": 1}}, ANN, None),
        ("user.created", {"id": "ann", "name": "Ann", "image": "i", "custom": {"a": 1}}, ANN,
         {"id": "ann", "name": None, "image": None, "custom": {}}),
        ("user.updated", {"id": "bob", "name": "Bob", "image": "i", "custom": {"a": 1}}, ANN, None),
        ("channel.created", {"id": "c1", "name": "n", "description": "d", "image": "i", "custom": {"a": 1}},
         Person(UserId("ann"), places=frozenset({"c1"})),
         {"id": "c1", "name": None, "description": None, "image": None, "custom": {}}),
        ("channel.created", {"id": "c2", "createdBy": "ann", "name": "n"}, ANN, None),
        ("workspace.created", {"id": "w1", "name": "n", "image": "i", "config": {"a": 1}, "channelCount": 0},
         Person(UserId("ann"), places=frozenset({"w1"})),
         {"id": "w1", "name": "", "image": None, "config": {}, "channelCount": 0}),
        ("upload.completed", {"userId": "ann", "filename": "cv.pdf"}, ANN, {"userId": "ann", "filename": "file"}),
        ("upload.completed", {"userId": "bob", "filename": "cv.pdf"}, ANN, None),
        ("message.reported", {"reporterId": "ann", "reason": "rude"}, ANN, {"reporterId": "ann", "reason": ""}),
        ("user.banned", {"userId": "ann", "reason": "rude"}, ANN, {"userId": "ann", "reason": None}),
        ("user.banned", {"userId": "bob", "bannedBy": "ann", "reason": "rude"}, ANN,
         {"userId": "bob", "bannedBy": "ann", "reason": None}),
        # A type of a later release: free text goes, all else stays.
        ("later.thing", {"userId": "ann", "note": "n", "text": "t", "size": 3}, ANN,
         {"userId": "ann", "note": "", "text": "", "size": 3}),
        ("later.thing", {"userId": "bob", "note": "n"}, ANN, None),
    ],
)  # fmt: skip
def test_what_is_the_users_goes_and_what_is_others_stays(
    event_type: str, data: dict[str, Any], person: Person, expected: Any
) -> None:
    assert data_without(event_type, data, person) == expected


def test_what_the_user_did_in_a_later_release_loses_its_words_by_its_actor() -> None:
    assert data_without("later.thing", {"note": "n"}, actor="ann") == {"note": ""}


@given(events(), st.data())
def test_an_event_stays_one_in_its_place_and_is_redacted_once(one: Event, choice: st.DataObject) -> None:
    body = encode(one)
    plain = orjson.loads(body)
    names = [name for name in (plain.get("actorid"), *plain["data"].values()) if isinstance(name, str)]
    user_id = choice.draw(st.sampled_from([*names, "somebody"]))
    person = Person(
        UserId(user_id),
        messages=frozenset({str(plain["data"].get("messageId"))}),
        places=frozenset({str(plain["data"].get("id"))}),
        reactions=frozenset(plain["data"].get("reactionCounts", {})),
    )
    redacted = without(body, person)
    if redacted is None:
        return
    after = orjson.loads(redacted)
    assert {**after, "data": None} == {**plain, "data": None}
    assert after["data"].keys() == plain["data"].keys()
    assert parse_event(redacted).type == one.type
    assert without(redacted, person) is None


def test_what_decides_about_votes_and_places_is_read_from_the_events() -> None:
    bodies = [
        event("poll.voted", {"messageId": "m1"}),
        event("poll.vote_removed", {"messageId": "m2"}),
        event("poll.created", {"messageId": "m3"}),
        event("channel.updated", {"id": "c1"}),
        event("workspace.deleted", {"id": "w1"}),
        event("message.new", {"id": "m4"}),
    ]
    assert message_ids_of_votes(bodies) == {"m1", "m2"}
    assert places_of(bodies) == {"c1", "w1"}


def test_small_things() -> None:
    assert own_name("m1") == "erased-m1"
    assert custom_types({":a:", "👍"}) == {":a:"}
    assert [next_step(name) for name in STEPS[:-1]] == list(STEPS[1:])
