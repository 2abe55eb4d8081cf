"""The SQL of planning. Claiming, recording and sessions have files of their own.

Rows are locked in one order everywhere: endpoints by id, then the rows of the queue, then lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chatsdk_runtime.postgres import Connection, Row, Transaction


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
    expiries: list[datetime | None] = field(default_factory=list)
    order_keys: list[str | None] = field(default_factory=list)
    are_behind: list[bool] = field(default_factory=list)


async def read_versions(tx: Transaction, app_ids: Sequence[str]) -> dict[str, int]:
    """The registration version of each app that ever had a webhook."""
    rows = await tx.fetch(_VERSIONS, app_ids)
    return {row["app_id"]: row["version"] for row in rows}


_VERSIONS = "select app_id, version from app_registration where app_id = any($1::text[])"


async def read_registrations(tx: Transaction, app_ids: Sequence[str]) -> list[Row]:
    """Every webhook of these apps, with its endpoint's state."""
    return await tx.fetch(_REGISTRATIONS, app_ids)


_REGISTRATIONS = """
select w.id, w.app_id, w.events, w.created_at, w.deadline_s, w.ordering, w.park_after, e.state
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


async def occupied_keys(
    tx: Transaction, webhook_ids: Sequence[str], keys: Sequence[str], parks_aside: Sequence[bool]
) -> set[tuple[str, str]]:
    """Of these channels of ordered webhooks, those with a delivery that later ones wait for; under the locks."""
    rows = await tx.fetch(_OCCUPIED, webhook_ids, keys, parks_aside)
    return {(str(row["webhook_id"]), row["order_key"]) for row in rows}


_OCCUPIED = """
select o.webhook_id, o.order_key
from unnest($1::uuid[], $2::text[], $3::boolean[]) as o (webhook_id, order_key, parks_aside)
where exists (
  select
  from due_delivery q
  where q.webhook_id = o.webhook_id and q.order_key = o.order_key
    and (q.due_at is not null or q.session_id is not null or not o.parks_aside)
)
"""


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
        rows.expiries,
        rows.order_keys,
        rows.are_behind,
    )


_INSERT_PLAN = """
with bodies as (
  insert into event_body (event_id, app_id, type, channel_id, body)
  select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[])
  on conflict do nothing
), planned (
  id, webhook_id, app_id, event_id, event_type, order_no, status, expires_at, order_key, is_behind
) as (
  select *
  from unnest($6::uuid[], $7::uuid[], $8::text[], $9::uuid[], $10::text[], $11::bigint[], $12::text[],
    $16::timestamptz[], $17::text[], $18::boolean[])
), history as (
  insert into delivery (id, webhook_id, app_id, event_id, event_type, order_no, status)
  select id, webhook_id, app_id, event_id, event_type, order_no, status from planned
), queued as (
  insert into due_delivery (delivery_id, webhook_id, event_id, event_type, order_no, due_at, expires_at, order_key)
  select id, webhook_id, event_id, event_type, order_no, case when is_behind then 'infinity' else now() end,
    expires_at, order_key
  from planned
  where status = 'pending'
)
update endpoint e
set next_order_no = n.next_order_no,
    next_due_at = case
      when e.state = 'active' and e.webhook_id = any($15::uuid[])
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
