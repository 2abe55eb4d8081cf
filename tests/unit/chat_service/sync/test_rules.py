"""What an event touches, which versions a page covers, and when a client starts anew."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.events.rules import LOG_KEPT_DAYS
from chat_service.sync.cursor import Cursor
from chat_service.sync.rules import Covered, Touch, covered_by, oldest_time, sent_to, touch_of, why_anew
from chatsdk_contracts.catalogue import DURABLE_EVENT_TYPES, EVENTS
from chatsdk_contracts.ids import ChannelId, UserId, new_id
from chatsdk_contracts.topology import LANES

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ROOM, HALL = ChannelId("room"), ChannelId("hall")
CURSOR = Cursor(1, (5,) * LANES, 0, 0, NOW)
HEADS = (9,) * LANES


@pytest.mark.parametrize(
    ("event_type", "data", "kind", "entity_id"),
    [
        ("message.new", {"id": "m", "userId": "ann"}, "message", "m"),
        ("message.deleted", {"id": "m"}, "message", "m"),
        ("reaction.added", {"messageId": "m"}, "message", "m"),
        ("thread.updated", {"parentId": "p"}, "message", "p"),
        ("poll.voted", {"messageId": "m"}, "message", "m"),
        ("user.joined", {"userId": "ann"}, "member", "ann"),
        ("user.left", {"userId": "ann"}, "member", "ann"),
        ("member.updated", {"userId": "ann"}, "member", "ann"),
        ("channel.updated", {}, "channel", "room"),
        ("message.reported", {"messageId": "m"}, "none", ""),
        ("message.shadowed", {"told": "message.new", "data": {"id": "m"}}, "message", "m"),
        ("message.shadowed", {"told": "poll.closed", "data": {"messageId": "m"}}, "message", "m"),
        ("message.shadowed", {"told": "something.newer", "data": {}}, "none", ""),
        ("something.newer", {}, "none", ""),
    ],
)
def test_an_event_touches_what_it_is_about(
    event_type: str, data: dict[str, str], kind: str, entity_id: str
) -> None:
    touch = touch_of(ROOM, 7, event_type, data)

    assert (touch.kind, touch.entity_id, touch.version) == (kind, entity_id, 7)


def test_who_sent_is_known_by_the_event_of_the_sending_alone() -> None:
    """Not by what is there now: the message may be hidden by then, and its sender's marker has moved all the same."""
    sent = touch_of(ROOM, 1, "message.new", {"id": "m", "userId": "ann"})
    edited = touch_of(HALL, 1, "message.updated", {"id": "m", "userId": "ann"})

    assert sent_to([sent, edited], UserId("ann")) == {ROOM}
    assert sent_to([sent, edited], UserId("bob")) == set()


def test_every_type_of_a_channel_is_known_here() -> None:
    """A new durable type about channels shows something, or is listed as one that members do not see."""
    of_channels = {name for name in DURABLE_EVENT_TYPES if EVENTS[name].aggregate == "channels"}
    ids = {
        "id": "x",
        "messageId": "x",
        "parentId": "x",
        "userId": "x",
        "told": "message.new",
        "data": {"id": "x"},
    }

    shown = {name for name in of_channels if touch_of(ROOM, 1, name, ids).kind != "none"}

    assert of_channels - shown == {"message.reported"}


def _touch(version: int, kind: str = "message", entity_id: str = "m", channel: ChannelId = ROOM) -> Touch:
    return Touch(channel, version, kind, entity_id)  # type: ignore[arg-type]  # a Literal given as text


def test_a_thing_is_shown_once_and_covers_what_came_before() -> None:
    shown = covered_by([_touch(4, entity_id="a"), _touch(5, entity_id="b"), _touch(6, entity_id="a")])

    assert shown == [Covered(ROOM, "message", "b", 4, 5), Covered(ROOM, "message", "a", 6, 6)]


def test_what_shows_nothing_is_covered_by_the_next_or_stands_at_the_end() -> None:
    shown = covered_by(
        [_touch(4, "none", ""), _touch(5, entity_id="a"), _touch(6, "none", ""), _touch(7, "none", "")]
    )

    assert shown == [Covered(ROOM, "message", "a", 4, 5), Covered(ROOM, "none", "", 6, 7)]


touches = st.lists(
    st.tuples(
        st.sampled_from([ROOM, HALL]), st.sampled_from(["message", "member", "none"]), st.sampled_from("abc")
    ),
    max_size=40,
)


@given(touches, st.integers(1, 100))
def test_ranges_of_a_channel_follow_each_other_without_a_hole(
    drawn: list[tuple[ChannelId, str, str]], first: int
) -> None:
    versions = {ROOM: first, HALL: first * 2}
    listed = []
    for channel, kind, entity in drawn:
        listed.append(_touch(versions[channel], kind, "" if kind == "none" else entity, channel))
        versions[channel] += 1

    shown = covered_by(listed)

    for channel, begun in ((ROOM, first), (HALL, first * 2)):
        mine = [one for one in shown if one.channel_id == channel]
        expected = begun
        for one in mine:
            assert one.cv_from == expected
            assert one.cv >= one.cv_from
            expected = one.cv + 1
        assert expected == versions[channel]
    things = [(one.channel_id, one.kind, one.entity_id) for one in shown if one.kind != "none"]
    assert len(things) == len(set(things))
    assert set(things) == {(one.channel_id, one.kind, one.entity_id) for one in listed if one.kind != "none"}


@pytest.mark.parametrize(
    ("cursor", "epoch", "heads", "reason"),
    [
        (None, 1, HEADS, "initial"),
        (CURSOR, 1, HEADS, None),
        (CURSOR, 2, HEADS, "epoch"),
        (CURSOR, 1, (4,) * LANES, "epoch"),
        (replace(CURSOR, since=NOW - timedelta(days=LOG_KEPT_DAYS)), 1, HEADS, "horizon"),
        (replace(CURSOR, since=NOW - timedelta(days=LOG_KEPT_DAYS - 2)), 1, HEADS, None),
    ],
)
def test_a_client_starts_anew_only_when_it_cannot_go_on(
    cursor: Cursor | None, epoch: int, heads: tuple[int, ...], reason: str | None
) -> None:
    assert why_anew(cursor, epoch, heads, NOW) == reason


def test_events_without_a_position_hold_the_bound_back() -> None:
    waiting = UUID(new_id(int((NOW - timedelta(hours=3)).timestamp() * 1000)))

    assert oldest_time(None, NOW) == NOW - timedelta(hours=1)
    assert oldest_time(waiting, NOW) == NOW - timedelta(hours=4)
