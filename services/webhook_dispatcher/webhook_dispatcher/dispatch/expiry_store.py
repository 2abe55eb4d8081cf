"""The SQL of deliveries that end unsent: past their deadline, or beyond what an endpoint may hold."""

from __future__ import annotations

from uuid import UUID

from chatsdk_runtime.postgres import Connection, Row, Transaction


async def expire_overdue(tx: Transaction, *, limit: int) -> int:
    """End deliveries whose deadline has passed and that are not just being sent; how many."""
    return len(
        await tx.fetch(_EXPIRE_OVERDUE, limit, "The event is older than the webhook's deadline allows.")
    )


_EXPIRE_OVERDUE = """
with overdue as (
  select delivery_id
  from due_delivery
  where expires_at <= now() and session_id is null
  order by expires_at
  limit $1
  for update skip locked
), ended as (
  delete from due_delivery q using overdue where q.delivery_id = overdue.delivery_id returning q.delivery_id
)
update delivery d
set status = 'expired', error_message = $2, finished_at = now()
from ended
where d.id = ended.delivery_id
returning 1
"""


async def full_endpoints(connection: Connection, *, at_least: int) -> list[Row]:
    """Webhooks that are not sent to and for which that many deliveries or more were planned since (id, app_id)."""
    return await connection.fetch(_FULL, at_least)


_FULL = """
select webhook_id, app_id
from endpoint
where state in ('failing', 'gone') and next_order_no - held_from >= $1
order by webhook_id
"""


async def count_held(connection: Connection, webhook_id: UUID) -> int:
    """How many deliveries a webhook has that are held or parked."""
    return int(
        await connection.fetchval("select count(*) from due_delivery where webhook_id = $1", webhook_id)
    )


async def expire_oldest(tx: Transaction, webhook_id: UUID, *, count: int) -> int:
    """End the oldest deliveries of an endpoint that holds too many; how many."""
    reason = "The webhook was away for so long that more was held than may be."
    return len(await tx.fetch(_EXPIRE_OLDEST, webhook_id, count, reason))


_EXPIRE_OLDEST = """
with oldest as (
  select delivery_id
  from due_delivery
  where webhook_id = $1 and session_id is null
  order by order_no
  limit $2
  for update skip locked
), ended as (
  delete from due_delivery q using oldest where q.delivery_id = oldest.delivery_id returning q.delivery_id
)
update delivery d
set status = 'expired', error_message = $3, finished_at = now()
from ended
where d.id = ended.delivery_id
returning 1
"""
