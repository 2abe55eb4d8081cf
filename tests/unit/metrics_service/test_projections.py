"""What an event adds to the totals."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsdk_contracts.catalogue import EPHEMERAL_EVENT_TYPES, EVENTS
from chatsdk_contracts.envelope import UndecodableEvent
from chatsdk_contracts.ids import new_id
from metrics_service.projections import Hour, Total, read_event, tally


def body_of(event_type: str, data: Any = None, **attributes: Any) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": new_id(),
            "type": event_type,
            "source": "/apps/a",
            "subject": "channels/c1",
            "time": "2026-01-31T12:34:56.789Z",
            "appid": "a",
            "channelid": "c1",
            "epoch": 1,
            "data": data,
            **attributes,
        }
    )


def test_a_message_is_counted_by_its_channel_whose_type_the_store_knows() -> None:
    added = tally([read_event(body_of("message.new", {"text": "x"}))])
    assert added.messages == {("a", "c1"): 1}
    assert added.totals == {Total("events", "a", "message.new"): 1}
    assert added.hours == {Hour("a", "message.new", datetime(2026, 1, 31, 12, tzinfo=UTC)): 1}


def test_a_message_without_channelid_is_counted_by_its_subject() -> None:
    assert tally([read_event(body_of("message.new", {}, channelid=None))]).messages == {("a", "c1"): 1}


@pytest.mark.parametrize(
    ("event_type", "data", "expected"),
    [
        ("message.updated", {}, {("messages_updated", ""): 1}),
        ("message.deleted", {}, {("messages_deleted", ""): 1}),
        ("channel.created", {"type": "team"}, {("channels_created", "team"): 1, ("channels", "team"): 1}),
        ("channel.deleted", {"type": "team"}, {("channels", "team"): -1}),
        ("channel.created", {"type": "mine"}, {("channels_created", "other"): 1, ("channels", "other"): 1}),
        ("user.created", {}, {("users_created", ""): 1}),
        ("reaction.added", {"type": "🎉"}, {("reactions_added", ""): 1}),
        ("reaction.removed", {}, {("reactions_removed", ""): 1}),
        ("workspace.created", {}, {("workspaces", ""): 1}),
        ("workspace.deleted", {}, {("workspaces", ""): -1}),
        ("poll.created", {}, {("polls_created", ""): 1}),
        ("poll.voted", {}, {("poll_votes", ""): 1}),
        ("upload.completed", {"contentType": "image/png"}, {("uploads", "image"): 1}),
        ("upload.completed", {"contentType": "x-made/up"}, {("uploads", "other"): 1}),
    ],
)
def test_each_type_adds_to_its_series(
    event_type: str, data: dict[str, str], expected: dict[tuple[str, str], int]
) -> None:
    totals = tally([read_event(body_of(event_type, data))]).totals
    own = {(key.series, key.label): value for key, value in totals.items() if key.series != "events"}
    assert own == expected
    assert totals[Total("events", "a", event_type)] == 1


@pytest.mark.parametrize("event_type", ["channel.created", "channel.updated", "channel.deleted"])
def test_a_channel_event_tells_the_channels_type(event_type: str) -> None:
    added = tally([read_event(body_of(event_type, {"type": "group"}))])
    assert added.channel_types == {"c1": ("a", "group")}


def test_a_type_that_is_not_known_is_counted_as_unknown() -> None:
    assert tally([read_event(body_of("tomorrow.came"))]).totals == {Total("events", "a", "unknown"): 1}


@pytest.mark.parametrize("event_type", sorted(EVENTS))
def test_only_ephemeral_types_are_counted_without_a_mark(event_type: str) -> None:
    assert read_event(body_of(event_type)).is_exact == (event_type not in EPHEMERAL_EVENT_TYPES)


@given(
    st.sampled_from(sorted(EVENTS)),
    st.recursive(
        st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "contentType"]), inner),
    ),
)
def test_no_data_makes_counting_fail(event_type: str, data: Any) -> None:
    added = tally([read_event(body_of(event_type, data))])
    assert added.totals[Total("events", "a", event_type)] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        body_of("message.new", appid=""),
        body_of("message.new", appid="a\0b"),
        body_of("message.new", channelid="a\0b"),
        body_of("message.new", id="not-a-uuid"),
    ],
)
def test_what_is_no_event_is_undecodable(body: bytes) -> None:
    with pytest.raises(UndecodableEvent):
        read_event(body)
