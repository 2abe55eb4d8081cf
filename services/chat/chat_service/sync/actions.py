"""Use case of catching up: one page of what a user missed, read in one snapshot.

Lanes are read one after the other up to the page's limit; a channel that the user came into behind the cursor is
reset, one that they left is told as left, and the rest is shown as it is now. Who is a member is judged now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from chat_service.sync import lanes, rules, store
from chat_service.sync.acks import acknowledged
from chat_service.sync.cursor import Cursor
from chat_service.sync.lanes import Filled
from chat_service.sync.present import shown
from chat_service.sync.store import Place
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.sync import Change, LaneAck, Reset
from chatsdk_contracts.users import User, UserState
from chatsdk_runtime.errors import Unauthorized
from chatsdk_runtime.postgres import Connection

_EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who catches up, on which of their clients (None: acknowledgements are not asked for)."""

    app_id: AppId
    user_id: UserId
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A page, and the cursor behind it."""

    cursor: Cursor
    states: Sequence[UserState]
    filled: Filled = field(default_factory=Filled)
    changes: Sequence[Change] = ()
    acks: Sequence[LaneAck] = ()
    user: User | None = None


async def catch_up(
    connection: Connection, reader: Reader, cursor: Cursor | None, *, limit: int, now: datetime
) -> CaughtUp:
    """What comes behind a cursor; None starts: every channel is a reset, and the cursor is the log's head.

    `connection` is a snapshot. A cursor of another epoch, or one older than the log is kept, starts anew too.
    """
    head = await store.read_head(connection)
    own = await store.read_self(connection, reader.app_id, reader.user_id)
    if own is None:
        raise Unauthorized("The user of this token is gone.")
    places = await store.places_of(connection, reader.app_id, reader.user_id)
    at_head = Cursor(
        head.epoch, head.positions, own.state_version, own.version, rules.oldest_time(head.oldest, now)
    )
    anew = rules.why_anew(cursor, head.epoch, head.positions, now)
    if cursor is None or anew is not None:
        filled = Filled(list(head.positions), reset=_reset(places, anew or "initial"))
        acks = await _acks(connection, reader, _EVER, filled)
        return CaughtUp(at_head, [place.state for place in places], filled, acks=acks, user=own.user)
    pasts = await store.pasts_of(connection, reader.app_id, reader.user_id)
    filled = await lanes.fill(connection, cursor, head, lanes.Known(places, pasts), limit=limit, now=now)
    # Sending moves the sender's marker without a version of its own, that it may cost no write.
    moved = rules.sent_to(filled.touches, reader.user_id)
    return CaughtUp(
        _behind(cursor, at_head, filled),
        [
            place.state
            for place in places
            if place.state_version > cursor.state_version or place.channel_id in moved
        ],
        filled,
        await shown(connection, reader.app_id, reader.user_id, rules.covered_by(filled.touches)),
        await _acks(connection, reader, cursor.since, filled),
        own.user if own.version > cursor.user_version else None,
    )


async def _acks(connection: Connection, reader: Reader, since: datetime, filled: Filled) -> list[LaneAck]:
    if reader.client_id is None:
        return []
    return await acknowledged(
        connection, reader.app_id, reader.user_id, reader.client_id, since=since, filled=filled
    )


def _reset(places: Sequence[Place], reason: rules.Anew) -> list[Reset]:
    return [
        Reset(channel_id=place.channel_id, reason=reason, cv=place.cv, last_seq=place.last_seq)
        for place in places
        if not place.deleted
    ]


def _behind(cursor: Cursor, at_head: Cursor, filled: Filled) -> Cursor:
    return Cursor(
        at_head.epoch,
        tuple(filled.positions),
        at_head.state_version,
        at_head.user_version,
        cursor.since if filled.has_more else at_head.since,
    )
