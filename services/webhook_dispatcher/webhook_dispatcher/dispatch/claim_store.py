"""The SQL of claiming: which endpoints are due, their next deliveries, and what a request needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chatsdk_runtime.postgres import Connection, Row, Transaction
from webhook_dispatcher.dispatch.leases import Lease, Session


@dataclass(frozen=True, slots=True)
class DueEndpoint:
    """A locked endpoint: whether it gets what is due, and whether it is probed."""

    webhook_id: UUID
    app_id: str
    is_active: bool
    is_probed: bool


async def lock_due_endpoints(
    tx: Transaction, session: Session, full: Sequence[UUID], *, limit: int, dead_after_s: float
) -> list[DueEndpoint]:
    """Due endpoints, fairly by app, locked; those another worker is at are passed over.

    None of them when this session is no longer alive: then it may lease nothing. Its row stays locked against
    being declared dead until the claim is committed.
    """
    rows = await tx.fetch(_LOCK_DUE, session.id, session.generation, full, limit, dead_after_s)
    return [DueEndpoint(row["webhook_id"], row["app_id"], row["is_active"], row["is_probed"]) for row in rows]


_LOCK_DUE = """
with alive as materialized (
  select 1
  from worker_session
  where id = $1 and generation = $2 and renewed_at > now() - make_interval(secs => $5)
  for key share
), due as (
  select webhook_id, app_id, next_due_at
  from endpoint
  where state in ('active', 'failing') and next_due_at <= now() and webhook_id <> all($3::uuid[])
  order by next_due_at
  limit 2000
), fair as (
  select webhook_id, row_number() over (partition by app_id order by next_due_at) as turn, next_due_at
  from due
  order by turn, next_due_at
  limit $4
)
select e.webhook_id, e.app_id, e.state = 'active' as is_active, coalesce(e.probe_at <= now(), false) as is_probed
from endpoint e
join fair on fair.webhook_id = e.webhook_id
where e.state in ('active', 'failing')
  and e.next_due_at <= now()
  and (e.blocked_until is null or e.blocked_until <= now())
  and exists (select from alive)
order by fair.turn, fair.next_due_at
for no key update of e skip locked
"""


async def lease_due(
    tx: Transaction,
    session: Session,
    endpoints: Sequence[DueEndpoint],
    rooms: Sequence[int],
    *,
    total: int,
    probe_lease_s: float,
) -> list[Lease]:
    """Lease the next deliveries of locked endpoints, and move each endpoint to its next due time.

    One that is probed gets its oldest parked delivery, or, when it is failing, the older of that and of what is
    held; and no further probe for `probe_lease_s` seconds, unless this one is recorded before.

    A statement of its own, so that its snapshot is younger than the locks: what the planner committed while
    we took them is seen, and no endpoint is put to sleep over it.
    """
    rows = await tx.fetch(
        _LEASE,
        [one.webhook_id for one in endpoints],
        [room if one.is_active else 0 for one, room in zip(endpoints, rooms, strict=True)],
        total,
        session.id,
        session.generation,
        [one.is_probed for one in endpoints],
        [one.is_active for one in endpoints],
        probe_lease_s,
    )
    apps = {one.webhook_id: one.app_id for one in endpoints}
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
            is_probe=row["is_probe"],
            probes=row["probes"],
            app_id=apps[row["webhook_id"]],
            order_key=row["order_key"],
        )
        for row in rows
    ]


_LEASE = """
with due as materialized (
  select d.webhook_id, d.is_probed, d.is_active, d.turn, allowed.tokens, e.rate_per_s,
    least(d.room, coalesce(floor(allowed.tokens), d.room)) as room
  from unnest($1::uuid[], $2::integer[], $6::boolean[], $7::boolean[]) with ordinality
    as d (webhook_id, room, is_probed, is_active, turn)
  join endpoint e on e.webhook_id = d.webhook_id
  cross join lateral (
    select least(
      e.rate_burst,
      coalesce(e.tokens + e.rate_per_s * extract(epoch from now() - e.tokens_at)::float8, e.rate_burst)
    )::float8 as tokens
  ) allowed
), probes as materialized (
  select p.delivery_id
  from due e
  cross join lateral (
    select found.delivery_id
    from (
      (
        select q.delivery_id, q.order_no
        from due_delivery q
        where q.webhook_id = e.webhook_id and q.due_at is null and q.session_id is null
        order by q.order_no
        limit 1
      )
      union all
      (
        select q.delivery_id, q.order_no
        from due_delivery q
        where not e.is_active and q.webhook_id = e.webhook_id and q.due_at is not null and q.session_id is null
        order by q.due_at, q.order_no
        limit 1
      )
    ) found
    order by found.order_no
    limit 1
  ) p
  where e.is_probed
), picked as materialized (
  select d.delivery_id, false as is_probe
  from due e
  cross join lateral (
    select q.delivery_id, q.due_at, q.order_no
    from due_delivery q
    where q.webhook_id = e.webhook_id and q.session_id is null and q.due_at <= now()
      and (q.expires_at is null or q.expires_at > now())
    order by q.due_at, q.order_no
    limit e.room
  ) d
  order by e.turn, d.due_at, d.order_no
  limit $3
), chosen as (
  select delivery_id, true as is_probe from probes
  union all
  select delivery_id, false from picked
), leased as (
  update due_delivery q
  set session_id = $4, generation = $5
  from chosen
  where q.delivery_id = chosen.delivery_id and q.session_id is null
  returning q.delivery_id, q.webhook_id, q.event_id, q.event_type, q.order_no, q.attempt, q.probes, q.replay,
    coalesce(q.resume_status, case when q.due_at is null then 'exhausted' end) as resume_status, q.due_at,
    q.order_key, chosen.is_probe
), spent as (
  select due.webhook_id, due.is_probed, due.is_active, due.rate_per_s,
    due.tokens - (select count(*) from leased where leased.webhook_id = due.webhook_id) as tokens
  from due
), moved as (
  update endpoint e
  set tokens = spent.tokens,
    tokens_at = case when spent.tokens is not null then now() end,
    probe_at = case when spent.is_probed then now() + make_interval(secs => $8) else e.probe_at end,
    next_due_at = least(
      case when spent.is_active then greatest(
        (
          select q.due_at
          from due_delivery q
          where q.webhook_id = e.webhook_id and q.session_id is null and q.due_at is not null
            and q.delivery_id not in (select delivery_id from chosen)
          order by q.due_at, q.order_no
          limit 1
        ),
        case when spent.tokens < 1 then now() + make_interval(secs => (1 - spent.tokens) / spent.rate_per_s) end
      ) end,
      case when spent.is_probed then now() + make_interval(secs => $8) else e.probe_at end
    )
  from spent
  where e.webhook_id = spent.webhook_id
)
select * from leased order by is_probe desc, due_at, order_no
"""


async def read_targets(connection: Connection, webhook_ids: Sequence[UUID]) -> list[Row]:
    """URL, state, ladder and live secrets of each webhook, newest secret first."""
    return await connection.fetch(_TARGETS, webhook_ids)


_TARGETS = """
select w.id, w.url, w.ladder, w.waits_s, w.park_after, e.state, s.id as secret_id, s.key_id, s.ciphertext
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
