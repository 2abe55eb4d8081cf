"""The SQL of the history: reading it, replays, and its end. It is written by `dispatch/record_store.py`."""

from __future__ import annotations

from uuid import UUID

from chatsdk_runtime.postgres import Connection, Row, Transaction

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
  d.created_at, d.attempted_at, d.finished_at, nullif(q.due_at, 'infinity') as due_at, q.session_id is not null as is_leased,
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


_UNDELIVERED = f"""
{_COLUMNS}
where q.webhook_id = $1 and ($2::bigint is null or q.order_no > $2)
order by q.order_no
limit $3
"""


async def list_undelivered(
    connection: Connection, webhook_id: UUID, *, after: int | None, limit: int
) -> list[Row]:
    """What a webhook has not got yet, in its order: waiting, being delivered, held and parked."""
    return await connection.fetch(_UNDELIVERED, webhook_id, after, limit)


async def measure_undelivered(connection: Connection, webhook_id: UUID, *, most: int) -> Row:
    """How many they are, counted up to `most`, and when the oldest was planned."""
    row = await connection.fetchrow(_MEASURE_UNDELIVERED, webhook_id, most)
    assert row is not None
    return row


_MEASURE_UNDELIVERED = """
select
  (select count(*) from (select from due_delivery where webhook_id = $1 limit $2) counted) as count,
  (
    select d.created_at
    from (select delivery_id from due_delivery where webhook_id = $1 order by order_no limit 1) oldest
    join delivery d on d.id = oldest.delivery_id
  ) as oldest_at
"""

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
where webhook_id = $2 and state = 'active'
"""
