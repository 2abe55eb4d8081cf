"""The SQL of recording: attempts, what they make of their deliveries, and of their endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chatsdk_runtime.postgres import Row, Transaction


class AttemptRow(NamedTuple):
    """One attempt, and what its delivery looks like after it."""

    delivery_id: UUID
    number: int
    kind: str
    result: str
    status_code: int | None
    error_message: str | None
    response_headers: str | None
    response_body: bytes | None
    duration_ms: float
    started_at: datetime
    status: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """What an endpoint is after a batch of outcomes. `block_s` is the silence that its receiver asked for.

    With `is_probed_anew` its next probe is `probe_wait_s` from now, or there is none (None).
    """

    webhook_id: UUID
    state: str
    failure_count: int
    failed_attempts: int
    failing_since: datetime | None
    has_failed: bool
    block_s: float
    is_probed_anew: bool
    probes: int
    probe_wait_s: float | None


async def lock_health(tx: Transaction, webhook_ids: Sequence[UUID], changing: Sequence[UUID]) -> list[Row]:
    """Lock the endpoints that change: those given, and those of a success that has something to zero."""
    return await tx.fetch(_LOCK_HEALTH, webhook_ids, changing)


_LOCK_HEALTH = """
select webhook_id, state, failure_count, failed_attempts, failing_since, probes, probe_at is not null as is_probed
from endpoint
where webhook_id = any($1::uuid[])
  and (
    webhook_id = any($2::uuid[])
    or state <> 'active'
    or failure_count > 0
    or failed_attempts > 0
    or probe_at is not null
  )
order by webhook_id
for no key update
"""


async def lock_own_leases(
    tx: Transaction,
    session_id: UUID,
    ids: Sequence[UUID],
    generations: Sequence[int],
    attempts: Sequence[int],
) -> set[tuple[UUID, int, int]]:
    """Which of these attempts (delivery, generation, number) may still be recorded: the lease is still that one."""
    rows = await tx.fetch(_LOCK_OWN, session_id, ids, generations, attempts)
    return {(row["delivery_id"], row["generation"], row["attempt"]) for row in rows}


_LOCK_OWN = """
select q.delivery_id, o.generation, o.attempt
from unnest($2::uuid[], $3::integer[], $4::smallint[]) as o (delivery_id, generation, attempt)
join due_delivery q on q.delivery_id = o.delivery_id
where q.session_id = $1 and q.generation = o.generation and q.attempt = o.attempt - 1
order by q.delivery_id
for update of q
"""


async def write_attempts(tx: Transaction, rows: Sequence[AttemptRow], finished: Sequence[UUID]) -> None:
    """The attempts, what they make of their deliveries, and the end of finished ones' places in the queue."""
    # The fields of a row are the statement's first parameters, in their order.
    columns = list(zip(*rows, strict=True))
    await tx.execute(_WRITE_ATTEMPTS, *columns, finished, min(columns[0]), max(columns[0]))


_WRITE_ATTEMPTS = """
with made (id, number, kind, result, status_code, error_message, response_headers, response_body, duration_ms,
           started_at, status, is_final) as materialized (
  select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[],
    $8::bytea[], $9::real[], $10::timestamptz[], $11::text[], $12::boolean[])
), finished as (
  delete from due_delivery where delivery_id = any($13::uuid[])
), attempts as (
  insert into attempt (delivery_id, number, kind, result, status_code, error_message, response_headers,
    response_body, duration_ms, started_at)
  select id, number, kind, result, status_code, error_message, response_headers, response_body, duration_ms,
    started_at
  from made
)
update delivery d
set status = made.status,
    attempts = made.number,
    status_code = made.status_code,
    error_message = made.error_message,
    attempted_at = made.started_at,
    finished_at = case when made.is_final then now() end
from made
where d.id = made.id and d.id between $14::uuid and $15::uuid
"""


async def put_back(
    tx: Transaction,
    ids: Sequence[UUID],
    attempts: Sequence[int],
    probes: Sequence[int],
    delays_s: Sequence[float | None],
) -> None:
    """End leases whose deliveries are not finished: due again after a delay, or parked (None)."""
    await tx.execute(_PUT_BACK, ids, attempts, delays_s, probes)


_PUT_BACK = """
update due_delivery q
set session_id = null,
    generation = null,
    attempt = b.attempt,
    probes = b.probes,
    replay = false,
    resume_status = null,
    due_at = now() + b.delay_s * interval '1 second'
from unnest($1::uuid[], $2::smallint[], $3::float8[], $4::smallint[]) as b (delivery_id, attempt, delay_s, probes)
where q.delivery_id = b.delivery_id
"""


async def release_unstarted(
    tx: Transaction, session_id: UUID, ids: Sequence[UUID], generations: Sequence[int]
) -> None:
    """Give back leases of which no attempt was made."""
    await tx.execute(_RELEASE_UNSTARTED, session_id, ids, generations)


_RELEASE_UNSTARTED = """
update due_delivery q
set session_id = null, generation = null
from unnest($2::uuid[], $3::integer[]) as o (delivery_id, generation)
where q.delivery_id = o.delivery_id and q.session_id = $1 and q.generation = o.generation
"""


async def let_follow(tx: Transaction, webhook_ids: Sequence[UUID], keys: Sequence[str]) -> None:
    """Make due what is next in these channels of ordered, locked webhooks, if it waits for its turn."""
    await tx.execute(_LET_FOLLOW, webhook_ids, keys)


# What was parked aside stands in the way of nothing; what was parked and holds up the others is due at no time.
_LET_FOLLOW = """
with following as (
  select f.delivery_id
  from (select distinct * from unnest($1::uuid[], $2::text[])) as o (webhook_id, order_key)
  join webhook w on w.id = o.webhook_id
  cross join lateral (
    select q.delivery_id, q.due_at
    from due_delivery q
    where q.webhook_id = o.webhook_id and q.order_key = o.order_key
      and (q.due_at is not null or q.session_id is not null or w.park_after is null)
    order by q.order_no
    limit 1
  ) f
  where f.due_at = 'infinity'
)
update due_delivery q
set due_at = now()
from following
where q.delivery_id = following.delivery_id
"""


async def wake(tx: Transaction, webhook_ids: Sequence[UUID]) -> None:
    """These locked endpoints have something due now."""
    await tx.execute(_WAKE, webhook_ids)


_WAKE = """
update endpoint
set next_due_at = least(next_due_at, greatest(now(), blocked_until))
where webhook_id = any($1::uuid[]) and state = 'active'
"""


async def release_parked(tx: Transaction, webhook_ids: Sequence[UUID], counts: Sequence[int]) -> set[UUID]:
    """Make the oldest parked deliveries of locked endpoints due, so many of each; who has further ones."""
    rows = await tx.fetch(_RELEASE_PARKED, webhook_ids, counts)
    return {row["webhook_id"] for row in rows}


# The one that comes after those released tells that there are more.
_RELEASE_PARKED = """
with oldest as materialized (
  select p.delivery_id, e.webhook_id, p.place <= e.wanted as is_released
  from unnest($1::uuid[], $2::integer[]) as e (webhook_id, wanted)
  cross join lateral (
    select q.delivery_id, row_number() over (order by q.order_no) as place
    from due_delivery q
    where q.webhook_id = e.webhook_id and q.due_at is null and q.session_id is null
    order by q.order_no
    limit e.wanted + 1
  ) p
), released as (
  update due_delivery q
  set due_at = now(), resume_status = coalesce(q.resume_status, 'exhausted')
  from oldest
  where q.delivery_id = oldest.delivery_id and oldest.is_released
)
select distinct webhook_id from oldest where not is_released
"""


async def write_endpoints(tx: Transaction, rows: Sequence[EndpointRow]) -> None:
    """State and counters of locked endpoints; the next due time is read anew from the queue."""
    await tx.execute(
        _WRITE_ENDPOINTS,
        [row.webhook_id for row in rows],
        [row.state for row in rows],
        [row.failure_count for row in rows],
        [row.failed_attempts for row in rows],
        [row.failing_since for row in rows],
        [row.has_failed for row in rows],
        [row.block_s for row in rows],
        [row.is_probed_anew for row in rows],
        [row.probes for row in rows],
        [row.probe_wait_s for row in rows],
    )


_WRITE_ENDPOINTS = """
with h as materialized (
  select n.*,
    case
      when n.is_probed_anew then now() + n.probe_wait_s * interval '1 second'
      else e.probe_at
    end as next_probe_at,
    greatest(e.blocked_until, now() + nullif(n.block_s, 0) * interval '1 second') as silent_until
  from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::timestamptz[], $6::boolean[], $7::float8[],
      $8::boolean[], $9::integer[], $10::float8[])
    as n (webhook_id, state, failure_count, failed_attempts, failing_since, has_failed, block_s, is_probed_anew,
      probes, probe_wait_s)
  join endpoint e on e.webhook_id = n.webhook_id
)
update endpoint e
set state = h.state,
    failure_count = h.failure_count,
    failed_attempts = h.failed_attempts,
    failing_since = h.failing_since,
    last_failure_at = case when h.has_failed then now() else e.last_failure_at end,
    blocked_until = h.silent_until,
    probe_at = h.next_probe_at,
    probes = h.probes,
    held_from = case when h.state = 'active' then null else coalesce(e.held_from, e.next_order_no) end,
    next_due_at = greatest(
      least(
        case when h.state = 'active' then (
          select q.due_at
          from due_delivery q
          where q.webhook_id = e.webhook_id and q.session_id is null and q.due_at is not null
          order by q.due_at, q.order_no
          limit 1
        ) end,
        h.next_probe_at
      ),
      h.silent_until
    )
from h
where e.webhook_id = h.webhook_id
"""
