"""SQL of what was redacted in the log, for the services that keep copies of its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Redaction:
    """An event whose bytes were replaced: its place in the log (None: not numbered yet) and what it says now.

    Without bytes the log does not hold it any more.
    """

    pos: int
    event_id: str
    lane: int | None
    lane_pos: int | None
    body: bytes | None


async def number(tx: Transaction, *, limit: int) -> None:
    """Give positions to committed redactions that have none, one caller at a time.

    A position taken in the transaction that redacts could be committed behind one that was read already.
    """
    await tx.execute("select pg_advisory_xact_lock(hashtextextended('redactions', 0))")
    await tx.execute(_NUMBER, limit)


async def read(connection: Connection, *, after: int, limit: int) -> list[Redaction]:
    """Redactions behind a position, in order."""
    return [
        Redaction(row["pos"], str(row["event_id"]), row["lane"], row["lane_pos"], row["body"])
        for row in await connection.fetch(_READ, after, limit)
    ]


async def forget(connection: Connection, *, before: datetime, limit: int = 5_000) -> int:
    """Delete notes of redactions in days that the log does not hold any more; returns how many."""
    return len(await connection.fetch(_FORGET, before, limit))


_NUMBER = """
update redacted_event
set pos = nextval('redacted_event_pos')
where event_id in (select event_id from redacted_event where pos is null order by event_id limit $1)
"""

_READ = """
select redacted.pos, redacted.event_id, event.lane, event.lane_pos, event.body
from (
  select pos, event_id from redacted_event where pos > $1 order by pos limit $2
) as redacted
left join event on event.id = redacted.event_id
order by redacted.pos
"""

_FORGET = """
delete from redacted_event
where event_id in (select event_id from redacted_event where redacted_at < $1 and pos is not null limit $2)
returning 1
"""
