"""SQL of expunging: the bytes of events, what receivers echoed of them, and how far this has come."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from chatsdk_runtime.postgres import Connection, Transaction


async def read_position(connection: Connection) -> int:
    """Up to where redactions were followed."""
    position: int = await connection.fetchval("select pos from redaction_position")
    return position


async def move_position(tx: Transaction, position: int) -> None:
    """Remember it; another process may be further."""
    await tx.execute("update redaction_position set pos = greatest(pos, $1)", position)


async def replace_bodies(tx: Transaction, bodies: Mapping[str, bytes]) -> int:
    """Put these bytes in the place of the events' former ones, and forget the replies; returns how many were kept."""
    ids = [UUID(event_id) for event_id in bodies]
    # A delivery's id begins with its event's time: that is where it stands in the history.
    starts = [UUID(int=one.int >> 80 << 80) for one in ids]
    ends = [UUID(int=(one.int >> 80) + 1 << 80) for one in ids]
    contents = list(bodies.values())
    replaced = await tx.fetch(_REPLACE, ids, contents, min(ids), max(ids))
    await tx.execute(_FORGET_REPLIES, ids, starts, ends)
    await tx.execute(_REPLACE_PARKED, list(bodies), contents)
    return len(replaced)


_REPLACE = """
update event_body
set body = redacted.body
from unnest($1::uuid[], $2::bytea[]) as redacted (event_id, body)
where event_body.event_id = redacted.event_id and event_body.event_id between $3 and $4
returning event_body.event_id
"""

_FORGET_REPLIES = """
update attempt
set response_body = null, response_headers = null
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as redacted (event_id, first, last)
join delivery on delivery.id >= redacted.first and delivery.id < redacted.last
  and delivery.event_id = redacted.event_id
where attempt.delivery_id = delivery.id and attempt.delivery_id >= redacted.first
  and attempt.delivery_id < redacted.last
"""

# Parked by whatever name: few, and looked through.
_REPLACE_PARKED = """
update parked_event
set body = redacted.body
from unnest($1::text[], $2::bytea[]) as redacted (event_id, body)
where position(convert_to(redacted.event_id, 'utf8') in parked_event.body) > 0
"""
