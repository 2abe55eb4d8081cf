"""Publish events of the log once more: the stored bytes with the same properties; consumers drop repeats by id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from chat_service.admin import store
from chat_service.admin.problems import OperatorProblem
from chat_service.events.outgoing import outgoing
from chat_service.events.rules import NumberedEvent
from chat_service.events.store import by_position, lane_positions
from chatsdk_contracts.topology import EVENTS_EXCHANGE
from chatsdk_runtime.postgres import Connection
from chatsdk_runtime.rabbit import Publisher

_PAGE = 500
_WINDOW = 64


async def republish_event(connection: Connection, publisher: Publisher, event_id: UUID) -> int:
    """One event by its id; returns how many were published.

    Raises:
        OperatorProblem: it is not in the log, or the relay has not published it yet.
    """
    event = await store.published_event(connection, event_id)
    if event is None:
        raise OperatorProblem(f"event {event_id} is not in the log, or was not published yet by the relay")
    return await _publish(publisher, [event])


async def republish_lane(
    connection: Connection, publisher: Publisher, lane: int, *, after: int, up_to: int | None
) -> int:
    """The events of a lane behind `after`, up to a position or to the last published one; returns how many."""
    published = {row.lane: row.published_pos for row in await lane_positions(connection)}
    last = published[lane] if up_to is None else min(up_to, published[lane])
    done = 0
    async for page in _pages(connection, lane, after, last):
        done += await _publish(publisher, page)
    return done


async def _pages(
    connection: Connection, lane: int, after: int, last: int
) -> AsyncIterator[Sequence[NumberedEvent]]:
    while page := await by_position(connection, lane, after, last, _PAGE):
        yield page
        after = page[-1].pos


async def _publish(publisher: Publisher, events: Sequence[NumberedEvent]) -> int:
    outcome = await publisher.publish(EVENTS_EXCHANGE, [outgoing(event) for event in events], window=_WINDOW)
    if outcome.failure is not None:
        refused = events[outcome.confirmed]
        raise OperatorProblem(f"the broker refused lane {refused.lane} at {refused.pos}: {outcome.failure}")
    return outcome.confirmed
