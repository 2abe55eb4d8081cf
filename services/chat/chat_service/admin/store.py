"""SQL of the operator's command: an event by its id, if it was published."""

from __future__ import annotations

from uuid import UUID

from chat_service.events.rules import NumberedEvent
from chat_service.events.store import numbered_event
from chatsdk_runtime.postgres import Connection


async def published_event(connection: Connection, event_id: UUID) -> NumberedEvent | None:
    """The event, once the broker has confirmed its lane as far as there."""
    row = await connection.fetchrow(_PUBLISHED_EVENT, event_id)
    return None if row is None else numbered_event(row, row["lane_pos"])


_PUBLISHED_EVENT = """
select event.id, event.lane, lane_pos, app_id, type, subject, copies, body
from event
join relay_lane on relay_lane.lane = event.lane
where event.id = $1 and lane_pos <= relay_lane.published_pos
"""
