"""The SQL of planning, claiming and sessions. Recording has its own in `record_store.py`.

Rows are locked in one order everywhere: endpoints by id, then the rows of the queue, then lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from chatsdk_runtime.postgres import Connection, Row, Transaction
from webhook_dispatcher.dispatch.leases import Lease, Session

# ---------------------------------------------------------------------------------------------- planning


@dataclass(slots=True)
class PlannedRows:
    """The columns of what a batch inserts, as lists: one statement writes them all."""

    event_ids: list[str] = field(default_factory=list)
    event_apps: list[str] = field(default_factory=list)
    event_types: list[str] = field(default_factory=list)
    event_channels: list[str | None] = field(default_factory=list)
    event_bodies: list[bytes] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    webhooks: list[str] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    order_nos: list[int | None] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)


async def read_versions(tx: Transaction, app_ids: Sequence[str]) -> dict[str, int]:
    """The registration version of each app that ever had a webhook."""
    rows = await tx.fetch(_VERSIONS, app_ids)
    return {row["app_id"]: row["version"] for row in rows}


_VERSIONS = "select app_id, version from app_registration where app_id = any($1::text[])"


async def read_registrations(tx: Transaction, app_ids: Sequence[str]) -> list[Row]:
    """Every webhook of these apps, with its endpoint's state."""
    return await tx.fetch(_REGISTRATIONS, app_ids)


_REGISTRATIONS = """
select w.id, w.app_id, w.events, w.created_at, e.state
from webhook w
join endpoint e on e.webhook_id = w.id
where w.app_id = any($1::text[])
  and w.deleted_at is null
order by w.id
"""


async def lock_next_order(tx: Transaction, webhook_ids: Sequence[str]) -> dict[str, int]:
    """Lock the endpoints of a batch; the next order number of each that still exists."""
    rows = await tx.fetch(_LOCK_NEXT_ORDER, webhook_ids)
    return {str(row["webhook_id"]): row["next_order_no"] for row in rows}


_LOCK_NEXT_ORDER = """
select webhook_id, next_order_no
from endpoint
where webhook_id = any($1::uuid[])
order by webhook_id
for no key update
"""


async def known_deliveries(tx: Transaction, ids: Sequence[str]) -> set[str]:
    """Which of these deliveries were planned before; asked under the endpoints' locks."""
    rows = await tx.fetch(_KNOWN, ids, min(ids), max(ids))
    return {str(row["id"]) for row in rows}


_KNOWN = "select id from delivery where id = any($1::uuid[]) and id between $2::uuid and $3::uuid"


async def insert_plan(
    tx: Transaction, rows: PlannedRows, next_order: Mapping[str, int], due: Sequence[str]
) -> None:
    """Bodies once, deliveries, their places in the queue, and the endpoints' counters; one statement."""
    await tx.execute(
        _INSERT_PLAN,
        rows.event_ids,
        rows.event_apps,
        rows.event_types,
        rows.event_channels,
        rows.event_bodies,
        rows.ids,
        rows.webhooks,
        rows.apps,
        rows.events,
        rows.types,
        rows.order_nos,
        rows.statuses,
        list(next_order),
        list(next_order.values()),
        list(due),
    )


_INSERT_PLAN = """
with bodies as (
  insert into event_body (event_id, app_id, type, channel_id, body)
  select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[])
  on conflict do nothing
), planned (id, webhook_id, app_id, event_id, event_type, order_no, status) as (
  select * from unnest($6::uuid[], $7::uuid[], $8::text[], $9::uuid[], $10::text[], $11::bigint[], $12::text[])
), history as (
  insert into delivery (id, webhook_id, app_id, event_id, event_type, order_no, status)
  select * from planned
), queued as (
  insert into due_delivery (delivery_id, webhook_id, event_id, event_type, order_no, due_at)
  select id, webhook_id, event_id, event_type, order_no, now()
  from planned
  where status = 'pending'
)
update endpoint e
set next_order_no = n.next_order_no,
    next_due_at = case
      when e.webhook_id = any($15::uuid[])
      then least(e.next_due_at, greatest(now(), e.blocked_until))
      else e.next_due_at
    end
from unnest($13::uuid[], $14::bigint[]) as n (webhook_id, next_order_no)
where e.webhook_id = n.webhook_id
"""


async def lock_lanes(tx: Transaction, lanes: Sequence[int]) -> dict[int, int]:
    """Lock the positions of these lanes."""
    rows = await tx.fetch(_LOCK_LANES, lanes)
    return {row["lane"]: row["pos"] for row in rows}


_LOCK_LANES = """
select lane, pos from lane_position where lane = any($1::smallint[]) order by lane for no key update
"""


async def set_lanes(tx: Transaction, positions: Mapping[int, int]) -> None:
    """Move positions, under their locks."""
    await tx.execute(_SET_LANES, list(positions), list(positions.values()))


_SET_LANES = """
update lane_position l
set pos = n.pos
from unnest($1::smallint[], $2::bigint[]) as n (lane, pos)
where l.lane = n.lane
"""


async def read_lanes(connection: Connection) -> dict[int, int]:
    """The position of every lane."""
    rows = await connection.fetch("select lane, pos from lane_position")
    return {row["lane"]: row["pos"] for row in rows}


async def park_event(
    tx: Transaction, *, queue: str, event_id: str, reason: str, located: tuple[int, int] | None, body: bytes
) -> None:
    """Keep an event that cannot be handled."""
    lane, pos = located if located is not None else (None, None)
    await tx.execute(_PARK, event_id, queue, reason, lane, pos, body)


_PARK = """
insert into parked_event (event_id, queue, reason, lane, lane_pos, body)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
"""

# ---------------------------------------------------------------------------------------------- claiming


async def lock_due_endpoints(
    tx: Transaction, session: Session, full: Sequence[UUID], *, limit: int, dead_after_s: float
) -> list[UUID]:
    """Due endpoints, fairly by app, locked; those another worker is at are passed over.

    None of them when this session is no longer alive: then it may lease nothing. Its row stays locked against
    being declared dead until the claim is committed.
    """
    rows = await tx.fetch(_LOCK_DUE, session.id, session.generation, full, limit, dead_after_s)
    return [row["webhook_id"] for row in rows]


_LOCK_DUE = """
with alive as materialized (
  select 1
  from worker_session
  where id = $1 and generation = $2 and renewed_at > now() - make_interval(secs => $5)
  for key share
), due as (
  select webhook_id, app_id, next_due_at
  from endpoint
  where state = 'active' and next_due_at <= now() and webhook_id <> all($3::uuid[])
  order by next_due_at
  limit 2000
), fair as (
  select webhook_id, row_number() over (partition by app_id order by next_due_at) as turn, next_due_at
  from due
  order by turn, next_due_at
  limit $4
)
select e.webhook_id
from endpoint e
join fair on fair.webhook_id = e.webhook_id
where e.state = 'active'
  and e.next_due_at <= now()
  and (e.blocked_until is null or e.blocked_until <= now())
  and exists (select from alive)
order by fair.turn, fair.next_due_at
for no key update of e skip locked
"""


async def lease_due(
    tx: Transaction, session: Session, webhook_ids: Sequence[UUID], rooms: Sequence[int], *, total: int
) -> list[Lease]:
    """Lease the next deliveries of locked endpoints, and move each endpoint to its next due time.

    A statement of its own, so that its snapshot is younger than the locks: what the planner committed while
    we took them is seen, and no endpoint is put to sleep over it.
    """
    rows = await tx.fetch(_LEASE, webhook_ids, rooms, total, session.id, session.generation)
    return [
        Lease(
            row["delivery_id"],
            row["webhook_id"],
            str(row["event_id"]),
            row["event_type"],
            row["order_no"],
            row["attempt"] + 1,
            row["replay"],
            row["resume_status"],
            session.generation,
        )
        for row in rows
    ]


_LEASE = """
with picked as materialized (
  select d.delivery_id
  from unnest($1::uuid[], $2::integer[]) with ordinality as e (webhook_id, room, turn)
  cross join lateral (
    select q.delivery_id, q.due_at, q.order_no
    from due_delivery q
    where q.webhook_id = e.webhook_id and q.session_id is null and q.due_at <= now()
    order by q.due_at, q.order_no
    limit e.room
  ) d
  order by e.turn, d.due_at, d.order_no
  limit $3
), leased as (
  update due_delivery q
  set session_id = $4, generation = $5
  from picked
  where q.delivery_id = picked.delivery_id and q.session_id is null
  returning q.delivery_id, q.webhook_id, q.event_id, q.event_type, q.order_no, q.attempt, q.replay,
    q.resume_status, q.due_at
), moved as (
  update endpoint e
  set next_due_at = (
    select q.due_at
    from due_delivery q
    where q.webhook_id = e.webhook_id and q.session_id is null and q.due_at is not null
      and q.delivery_id not in (select delivery_id from picked)
    order by q.due_at, q.order_no
    limit 1
  )
  where e.webhook_id = any($1::uuid[])
)
select * from leased order by due_at, order_no
"""


async def read_targets(connection: Connection, webhook_ids: Sequence[UUID]) -> list[Row]:
    """URL, state and live secrets of each webhook, newest secret first."""
    return await connection.fetch(_TARGETS, webhook_ids)


_TARGETS = """
select w.id, w.url, e.state, s.id as secret_id, s.key_id, s.ciphertext
from webhook w
join endpoint e on e.webhook_id = w.id
join webhook_secret s on s.webhook_id = w.id
where w.id = any($1::uuid[])
  and w.deleted_at is null
  and s.revoked_at is null
  and (s.expires_at is null or s.expires_at > now())
order by w.id, s.created_at desc, s.id desc
"""


async def read_bodies(connection: Connection, event_ids: Sequence[str]) -> dict[str, bytes]:
    """The bytes of these events."""
    rows = await connection.fetch(_BODIES, event_ids, min(event_ids), max(event_ids))
    return {str(row["event_id"]): row["body"] for row in rows}


_BODIES = """
select event_id, body
from event_body
where event_id = any($1::uuid[]) and event_id between $2::uuid and $3::uuid
"""


async def count_unfinished(connection: Connection) -> dict[str, int]:
    """Unfinished deliveries: due or waiting for their time (pending), leased (delivering), parked."""
    row = await connection.fetchrow(_COUNT_UNFINISHED)
    assert row is not None
    return dict(row)


_COUNT_UNFINISHED = """
select count(*) filter (where session_id is null and due_at is not null) as pending,
  count(*) filter (where session_id is not null) as delivering,
  count(*) filter (where due_at is null) as parked
from due_delivery
"""

# ---------------------------------------------------------------------------------------------- sessions


async def open_session(connection: Connection, session: Session) -> None:
    """Make the session alive from now on."""
    await connection.execute(_OPEN_SESSION, session.id, session.generation)


_OPEN_SESSION = """
insert into worker_session (id, generation)
values ($1, $2)
on conflict (id) do update set generation = excluded.generation, renewed_at = now()
"""


async def renew_session(connection: Connection, session: Session, *, dead_after_s: float) -> bool:
    """Whether it was still alive, and is for another while."""
    return bool(await connection.fetchval(_RENEW, session.id, session.generation, dead_after_s))


_RENEW = """
update worker_session
set renewed_at = now()
where id = $1 and generation = $2 and renewed_at > now() - make_interval(secs => $3)
returning true
"""


async def end_sessions(tx: Transaction, *, dead_after_s: float, own: UUID | None = None) -> list[UUID]:
    """Delete the sessions that are dead (and `own`, at a shutdown); returns their ids."""
    rows = await tx.fetch(_END_SESSIONS, dead_after_s, own)
    return [row["id"] for row in rows]


_END_SESSIONS = """
delete from worker_session
where renewed_at <= now() - make_interval(secs => $1) or id = $2
returning id
"""


async def release_leases(tx: Transaction, sessions: Sequence[UUID]) -> int:
    """Give back what ended sessions had leased; returns how many deliveries."""
    webhooks = [row["webhook_id"] for row in await tx.fetch(_LEASED_WEBHOOKS, sessions)]
    if not webhooks:
        return 0
    await tx.fetch(_LOCK_ENDPOINTS, webhooks)
    released = await tx.fetch(_RELEASE, sessions)
    await tx.execute(_WAKE_ENDPOINTS, webhooks)
    return len(released)


_LEASED_WEBHOOKS = "select distinct webhook_id from due_delivery where session_id = any($1::uuid[])"
_LOCK_ENDPOINTS = """
select 1 from endpoint where webhook_id = any($1::uuid[]) order by webhook_id for no key update
"""
_RELEASE = """
update due_delivery set session_id = null, generation = null where session_id = any($1::uuid[]) returning 1
"""
_WAKE_ENDPOINTS = """
update endpoint
set next_due_at = least(next_due_at, greatest(now(), blocked_until))
where webhook_id = any($1::uuid[])
"""
