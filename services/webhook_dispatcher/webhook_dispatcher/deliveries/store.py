"""The SQL of the history: recording attempts, and reading them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chatsdk_runtime.postgres import Connection, Row, Transaction

# --------------------------------------------------------------------------------------------- recording


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
    """What an endpoint is after a batch of outcomes. `block_s` is the silence that its receiver asked for."""

    webhook_id: UUID
    state: str
    failure_count: int
    failed_attempts: int
    failing_since: datetime | None
    has_failed: bool
    block_s: float


async def lock_health(tx: Transaction, webhook_ids: Sequence[UUID], changing: Sequence[UUID]) -> list[Row]:
    """Lock the endpoints that change: those given, and those of a success that has something to zero."""
    return await tx.fetch(_LOCK_HEALTH, webhook_ids, changing)


_LOCK_HEALTH = """
select webhook_id, state, failure_count, failed_attempts, failing_since
from endpoint
where webhook_id = any($1::uuid[])
  and (webhook_id = any($2::uuid[]) or state <> 'active' or failure_count > 0 or failed_attempts > 0)
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
    tx: Transaction, ids: Sequence[UUID], attempts: Sequence[int], delays_s: Sequence[float | None]
) -> None:
    """End leases whose deliveries are not finished: due again after a delay, or parked (None)."""
    await tx.execute(_PUT_BACK, ids, attempts, delays_s)


_PUT_BACK = """
update due_delivery q
set session_id = null,
    generation = null,
    attempt = b.attempt,
    replay = false,
    resume_status = null,
    due_at = now() + b.delay_s * interval '1 second'
from unnest($1::uuid[], $2::smallint[], $3::float8[]) as b (delivery_id, attempt, delay_s)
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
    )


_WRITE_ENDPOINTS = """
update endpoint e
set state = h.state,
    failure_count = h.failure_count,
    failed_attempts = h.failed_attempts,
    failing_since = h.failing_since,
    last_failure_at = case when h.has_failed then now() else e.last_failure_at end,
    blocked_until = greatest(e.blocked_until, now() + nullif(h.block_s, 0) * interval '1 second'),
    next_due_at = greatest(
      (
        select q.due_at
        from due_delivery q
        where q.webhook_id = e.webhook_id and q.session_id is null and q.due_at is not null
        order by q.due_at, q.order_no
        limit 1
      ),
      e.blocked_until,
      now() + nullif(h.block_s, 0) * interval '1 second'
    )
from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::timestamptz[], $6::boolean[], $7::float8[])
  as h (webhook_id, state, failure_count, failed_attempts, failing_since, has_failed, block_s)
where e.webhook_id = h.webhook_id
"""

# --------------------------------------------------------------------------------------------- retention


async def oldest_unfinished(connection: Connection) -> UUID | None:
    """The oldest delivery that is still to be sent, held or parked."""
    found: UUID | None = await connection.fetchval(_OLDEST_UNFINISHED)
    return found


_OLDEST_UNFINISHED = "select delivery_id from due_delivery order by delivery_id limit 1"


async def take_retention_turn(connection: Connection) -> bool:
    """Whether this replica may drop days now; until `end_retention_turn` or the connection's end."""
    return bool(await connection.fetchval("select pg_try_advisory_lock($1)", _RETENTION_LOCK))


async def end_retention_turn(connection: Connection) -> None:
    """Let others."""
    await connection.execute("select pg_advisory_unlock($1)", _RETENTION_LOCK)


_RETENTION_LOCK = 0x43534B52  # "CSKR"

# ----------------------------------------------------------------------------------------------- reading

_COLUMNS = """
select d.id, d.webhook_id, d.event_id, d.event_type, d.order_no, d.attempts, d.status_code, d.error_message,
  d.created_at, d.attempted_at, d.finished_at, q.due_at, q.session_id is not null as is_leased,
  case
    when q.session_id is not null then 'delivering'
    when q.due_at is not null and e.state <> 'active' then 'held'
    when q.due_at is not null then 'pending'
    else d.status
  end as shown_status
from delivery d
left join due_delivery q on q.delivery_id = d.id
left join endpoint e on e.webhook_id = d.webhook_id
"""

_LIST = f"""
select * from ({_COLUMNS}
  where d.webhook_id = $1
    and ($2::uuid is null or d.id < $2)
    and ($3::text is null or d.event_type = $3)
) listed
where $4::text is null or shown_status = $4
order by id desc
limit $5
"""


async def list_deliveries(
    connection: Connection,
    webhook_id: UUID,
    *,
    before: UUID | None,
    event: str | None,
    status: str | None,
    limit: int,
) -> list[Row]:
    """Deliveries of a webhook, newest first."""
    return await connection.fetch(_LIST, webhook_id, before, event, status, limit)


_ONE = f"{_COLUMNS} where d.id = $1 and d.webhook_id = $2"  # - only constants are put in


async def fetch_delivery(connection: Connection, webhook_id: UUID, delivery_id: UUID) -> Row | None:
    """One delivery of a webhook."""
    return await connection.fetchrow(_ONE, delivery_id, webhook_id)


async def list_attempts(connection: Connection, delivery_id: UUID) -> list[Row]:
    """The attempts of a delivery, first to last."""
    return await connection.fetch(_ATTEMPTS, delivery_id)


_ATTEMPTS = """
select number, kind, result, status_code, error_message, response_headers, response_body, duration_ms, started_at
from attempt
where delivery_id = $1
order by number
"""


async def make_due(tx: Transaction, webhook_id: UUID, delivery_id: UUID) -> None:
    """Queue a delivery for a replay now, whatever became of it; the endpoint is locked. A leased one stays."""
    await tx.execute(_MAKE_DUE, delivery_id, webhook_id)


_MAKE_DUE = """
with replayed as (
  insert into due_delivery as q (delivery_id, webhook_id, event_id, event_type, order_no, attempt, replay,
    resume_status, due_at)
  select d.id, d.webhook_id, d.event_id, d.event_type, coalesce(d.order_no, 0), d.attempts, true,
    case when d.status = 'pending' then null else d.status end, now()
  from delivery d
  where d.id = $1 and d.webhook_id = $2
  on conflict (delivery_id) do update
  set due_at = now(), replay = true, resume_status = excluded.resume_status
  where q.session_id is null
)
update endpoint
set next_due_at = least(next_due_at, greatest(now(), blocked_until))
where webhook_id = $2
"""
