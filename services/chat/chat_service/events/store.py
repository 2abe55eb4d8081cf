"""SQL of the event log: lanes, numbering, watermarks, reading by position.

Statements over `event` carry a lower bound of the id where they can, so that the planner looks at the days
concerned and not at all of them. Leases are compared by the database's clock only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from chat_service.events.rules import NumberedEvent
from chatsdk_runtime.partitions import day_bound
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class LanePositions:
    """How far a lane is numbered and published."""

    lane: int
    next_pos: int
    published_pos: int


async def renew_session(connection: Connection, session: UUID, lease_s: float) -> int:
    """Say that this replica relays; returns how many replicas do."""
    count: int = await connection.fetchval(_RENEW_SESSION, session, lease_s)
    return count


async def end_session(connection: Connection, session: UUID) -> None:
    """Leave: the lanes are free at once."""
    await connection.execute("delete from relay_session where id = $1", session)
    await connection.execute(
        "update relay_lane set leader = null, leader_until = null where leader = $1", session
    )


async def lead_lanes(connection: Connection, session: UUID, lease_s: float, share: int) -> list[int]:
    """Renew this replica's lanes, take free ones up to its share, give back what is above it."""
    rows = await connection.fetch(_RENEW_LANES, session, lease_s)
    led = [row["lane"] for row in rows]
    if len(led) < share:
        taken = await connection.fetch(_TAKE_LANES, session, lease_s, share - len(led))
        led += [row["lane"] for row in taken]
    elif len(led) > share:
        await connection.execute(_GIVE_BACK_LANES, session, sorted(led)[share:])
        led = sorted(led)[:share]
    return sorted(led)


async def lock_unnumbered(
    tx: Transaction, lanes: Sequence[int], session: UUID, since: UUID
) -> dict[int, int]:
    """Fence: lock the lanes that this replica still leads and that have something to number.

    Returns each one's next position.
    """
    rows = await tx.fetch(_LOCK_UNNUMBERED, lanes, session, since)
    return {row["lane"]: row["next_pos"] for row in rows}


async def has_unnumbered(connection: Connection, lanes: Sequence[int], since: UUID) -> bool:
    """Whether these lanes have something to number; without a lock, so that an idle poll costs next to nothing."""
    found: bool = await connection.fetchval(_HAS_UNNUMBERED, lanes, since)
    return found


async def unnumbered(tx: Transaction, lanes: Sequence[int], since: UUID, limit: int) -> list[Row]:
    """Committed events without a position, in (aggregate, version) order within each lane."""
    return await tx.fetch(_UNNUMBERED, lanes, since, limit)


async def number(
    tx: Transaction, ids: Sequence[UUID], positions: Sequence[int], following: Mapping[int, int]
) -> None:
    """Give events their positions, and remember each lane's next free one."""
    await tx.execute(_NUMBER, ids, positions, min(ids), max(ids), list(following), list(following.values()))


async def move_published(connection: Connection, session: UUID, published: Mapping[int, int]) -> None:
    """Raise the watermarks of lanes that this replica still leads."""
    await connection.execute(_MOVE_PUBLISHED, list(published), list(published.values()), session)


async def lane_positions(connection: Connection) -> list[LanePositions]:
    """Every lane's positions."""
    rows = await connection.fetch("select lane, next_pos, published_pos from relay_lane order by lane")
    return [LanePositions(row["lane"], row["next_pos"], row["published_pos"]) for row in rows]


async def by_position(
    connection: Connection, lane: int, after: int, up_to: int, limit: int
) -> list[NumberedEvent]:
    """A lane's events in (after, up_to], in order."""
    rows = await connection.fetch(_BY_POSITION, lane, after, up_to, limit)
    return [numbered_event(row, row["lane_pos"]) for row in rows]


@dataclass(frozen=True, slots=True)
class FeedFilter:
    """What a reader of the feed wants; empty means everything."""

    app_id: UUID | None = None
    types: Sequence[str] | None = None
    channels: Sequence[UUID] | None = None
    since: UUID | None = None
    until: UUID | None = None


async def feed_page(
    connection: Connection, lane: int, after: int, limit: int, wanted: FeedFilter
) -> list[tuple[int, bytes]]:
    """Published events of a lane after a position that pass the filter: (position, stored bytes)."""
    rows = await connection.fetch(
        _FEED, lane, after, limit, wanted.app_id, wanted.types, wanted.channels, wanted.since, wanted.until
    )
    return [(row["lane_pos"], row["body"]) for row in rows]


async def backlog(connection: Connection) -> int:
    """How many numbered events wait for the broker."""
    count: int = await connection.fetchval(
        "select coalesce(sum(next_pos - 1 - published_pos), 0)::bigint from relay_lane"
    )
    return count


async def has_unpublished(connection: Connection, day: date) -> bool:
    """Whether that day's partition holds what the broker has not confirmed."""
    low, high = day_bound(day), day_bound(day + timedelta(days=1))
    held: bool = await connection.fetchval(_HAS_UNPUBLISHED, low, high)
    return held


async def read_epoch(connection: Connection) -> int:
    """The log's epoch; raised after a restore."""
    epoch: int = await connection.fetchval("select epoch from platform")
    return epoch


def numbered_event(row: Row, position: int) -> NumberedEvent:
    """A row of the log as it is published."""
    return NumberedEvent(
        lane=row["lane"],
        pos=position,
        id=str(row["id"]),
        app_id=str(row["app_id"]),
        type=row["type"],
        subject=row["subject"],
        copies=row["copies"] or (),
        body=row["body"],
    )


_HAS_UNNUMBERED = """
select exists (
  select from unnest($1::smallint[]) as wanted (lane)
  where exists (select from event where lane = wanted.lane and lane_pos is null and id >= $2)
)
"""

_RENEW_SESSION = """
with gone as (
  delete from relay_session where renewed_at < now() - make_interval(secs => $2 * 4) and id <> $1
), renewed as (
  insert into relay_session (id, renewed_at) values ($1, now())
  on conflict (id) do update set renewed_at = excluded.renewed_at
)
select 1 + count(*) from relay_session where id <> $1 and renewed_at > now() - make_interval(secs => $2)
"""

# Leading, numbering and publishing run side by side on connections of their own: whoever changes several lanes
# locks them in lane order first, or two of them wait for each other.
_RENEW_LANES = """
with held as (
  select lane from relay_lane where leader = $1 order by lane for no key update
)
update relay_lane set leader_until = now() + make_interval(secs => $2)
from held
where relay_lane.lane = held.lane and leader = $1
returning relay_lane.lane
"""

_TAKE_LANES = """
update relay_lane set leader = $1, leader_until = now() + make_interval(secs => $2)
where lane in (
  select lane from relay_lane
  where leader is null or leader_until < now()
  order by lane
  limit $3
  for no key update skip locked
)
returning lane
"""

_GIVE_BACK_LANES = """
with held as (
  select lane from relay_lane where leader = $1 and lane = any($2::smallint[]) order by lane for no key update
)
update relay_lane set leader = null, leader_until = null
from held
where relay_lane.lane = held.lane and leader = $1
"""

_LOCK_UNNUMBERED = """
select lane, next_pos from relay_lane
where lane = any($1::smallint[]) and leader = $2
  and exists (select from event where event.lane = relay_lane.lane and lane_pos is null and id >= $3)
order by lane
for no key update of relay_lane
"""

_UNNUMBERED = """
select e.id, e.lane, e.app_id, e.type, e.subject, e.copies, e.body
from unnest($1::smallint[]) as wanted (lane)
cross join lateral (
  select id, lane, app_id, type, subject, version, copies, body
  from event
  where lane = wanted.lane and lane_pos is null and id >= $2
  order by subject, version, id
  limit $3
) e
order by e.lane, e.subject, e.version, e.id
"""

_NUMBER = """
with moved as (
  update relay_lane set next_pos = moved.next_pos
  from unnest($5::smallint[], $6::bigint[]) as moved (lane, next_pos)
  where relay_lane.lane = moved.lane
)
update event set lane_pos = numbered.pos
from unnest($1::uuid[], $2::bigint[]) as numbered (id, pos)
where event.id = numbered.id and event.id >= $3 and event.id <= $4
"""

_MOVE_PUBLISHED = """
with held as (
  select lane from relay_lane where lane = any($1::smallint[]) and leader = $3 order by lane for no key update
)
update relay_lane set published_pos = moved.published_pos
from held
join unnest($1::smallint[], $2::bigint[]) as moved (lane, published_pos) on moved.lane = held.lane
where relay_lane.lane = held.lane and leader = $3 and relay_lane.published_pos < moved.published_pos
"""

_BY_POSITION = """
select id, lane, lane_pos, app_id, type, subject, copies, body
from event
where lane = $1 and lane_pos > $2 and lane_pos <= $3
order by lane_pos
limit $4
"""

_FEED = """
select lane_pos, body
from event
where lane = $1 and lane_pos > $2
  and lane_pos <= (select published_pos from relay_lane where lane = $1)
  and ($4::uuid is null or app_id = $4)
  and ($5::text[] is null or type = any($5))
  and ($6::uuid[] is null or channel_id = any($6))
  and ($7::uuid is null or id >= $7)
  and ($8::uuid is null or id < $8)
order by lane_pos
limit $3
"""

_HAS_UNPUBLISHED = """
select exists (
  select from event
  join relay_lane on relay_lane.lane = event.lane
  where event.id >= $1 and event.id < $2
    and (event.lane_pos is null or event.lane_pos > relay_lane.published_pos)
)
"""
