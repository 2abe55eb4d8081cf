"""Reading the lanes of the log behind a cursor, up to a page's limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from chat_service.sync import rules, store
from chat_service.sync.cursor import Cursor
from chat_service.sync.rules import Touch
from chat_service.sync.store import Head, Logged, Past, Place, Span
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import ChannelId, day_floor
from chatsdk_contracts.sync import Departure, Reset
from chatsdk_contracts.topology import LANES, lane_of
from chatsdk_contracts.wire import to_epoch_ms
from chatsdk_runtime.postgres import Connection

# Partitions are made ahead; nobody's clock is so far ahead that an event of today lies beyond the day after tomorrow.
_AHEAD: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Known:
    """The channels that a user is in, and those that they were in."""

    places: Sequence[Place]
    pasts: Sequence[Past]


@dataclass(slots=True)
class Filled:
    """What was read. `begun`: per channel, its first version behind the cursor; `cut`: lanes not read to their head."""

    positions: list[int] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    reset: list[Reset] = field(default_factory=list)
    left: list[Departure] = field(default_factory=list)
    begun: dict[ChannelId, int] = field(default_factory=dict)
    cut: set[int] = field(default_factory=set)
    remaining: int = 0

    @property
    def has_more(self) -> bool:
        """Whether a next page will have something."""
        return bool(self.cut)


@dataclass(slots=True)
class _Lane:
    """What there is to do in one lane: channels to read, and what to tell of the others."""

    read: list[ChannelId] = field(default_factory=list)
    reset: list[Reset] = field(default_factory=list)
    left: list[Departure] = field(default_factory=list)


async def fill(
    connection: Connection, cursor: Cursor, head: Head, known: Known, *, limit: int, now: datetime
) -> Filled:
    """Read behind the cursor until the page is full. What a lane has to tell beside changes comes with its first part."""
    span = Span(_first_id(cursor.since), day_floor((now + _AHEAD).date()))
    filled = Filled(list(cursor.positions))
    filled.begun = await _begun(connection, cursor, head, known, span)
    todo = _sorted_by_lane(known, filled)
    for number, lane in enumerate(todo):
        room = limit - len(filled.touches)
        if lane.read and room <= 0:
            filled.cut.add(number)
            continue
        after, up_to = cursor.positions[number], head.positions[number]
        events: Sequence[Logged] = ()
        if lane.read:
            subjects = [subject_of("channels", one) for one in lane.read]
            events = await store.read_lane(connection, subjects, after, up_to, span, limit=room + 1)
        if len(events) > room:
            events, up_to = events[:room], events[room - 1].pos
            filled.cut.add(number)
        filled.positions[number] = up_to
        filled.touches += [_touch(event) for event in events]
        filled.reset += lane.reset
        filled.left += lane.left
    filled.remaining = max(0, filled.remaining - len(filled.touches)) if filled.has_more else 0
    return filled


async def _begun(
    connection: Connection, cursor: Cursor, head: Head, known: Known, span: Span
) -> dict[ChannelId, int]:
    """Per channel in which something happened, its first version behind the cursor."""
    by_subject: dict[str, ChannelId] = {}
    after: list[int] = []
    for channel_id in _channels(known):
        subject = subject_of("channels", channel_id)
        lane = lane_of(subject)
        if head.positions[lane] > cursor.positions[lane]:
            by_subject[subject] = channel_id
            after.append(cursor.positions[lane])
    if not by_subject:
        return {}
    found = await store.first_versions(connection, list(by_subject), after, span)
    return {by_subject[subject]: version for subject, version in found.items()}


def _channels(known: Known) -> Iterable[ChannelId]:
    return dict.fromkeys(
        [*(place.channel_id for place in known.places), *(past.channel_id for past in known.pasts)]
    )


def _sorted_by_lane(known: Known, filled: Filled) -> list[_Lane]:
    todo = [_Lane() for _ in range(LANES)]
    for place in known.places:
        begun = filled.begun.get(place.channel_id)
        if begun is None:
            continue
        lane = todo[lane_of(subject_of("channels", place.channel_id))]
        if place.deleted:
            lane.left.append(Departure(channel_id=place.channel_id, reason="deleted", cv=place.cv))
        elif place.joined_cv >= begun:
            lane.reset.append(
                Reset(channel_id=place.channel_id, reason="joined", cv=place.cv, last_seq=place.last_seq)
            )
        else:
            lane.read.append(place.channel_id)
            filled.remaining += place.cv - begun + 1
    for past in known.pasts:
        begun = filled.begun.get(past.channel_id)
        if begun is not None and begun <= past.cv:
            lane = todo[lane_of(subject_of("channels", past.channel_id))]
            lane.left.append(Departure(channel_id=past.channel_id, reason=past.reason, cv=past.cv))
    return todo


def _touch(event: Logged) -> Touch:
    data = orjson.loads(event.body)["data"]
    return rules.touch_of(event.channel_id, event.version, event.type, data)


def _first_id(at: datetime) -> UUID:
    return UUID(int=to_epoch_ms(at) << 80)
