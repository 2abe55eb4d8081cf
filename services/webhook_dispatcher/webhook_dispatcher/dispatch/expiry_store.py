"""The SQL of deliveries that end unsent: past their deadline, or beyond what an endpoint may hold."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chatsdk_runtime.postgres import Connection, Row, Transaction


async def lock_overdue(tx: Transaction, *, limit: int) -> list[UUID]:
    """Lock the endpoints of deliveries whose deadline has passed, but those that others are at."""
    return [row["webhook_id"] for row in await tx.fetch(_LOCK_OVERDUE, limit)]


_LOCK_OVERDUE = """
select webhook_id
from endpoint
where webhook_id in (
  select q.webhook_id from due_delivery q where q.expires_at <= now() and q.session_id is null limit $1
)
order by webhook_id
for no key update skip locked
"""


async def expire_overdue(tx: Transaction, webhook_ids: Sequence[UUID], *, limit: int) -> list[Row]:
    """End deliveries of locked endpoints that are past their deadline and not just being sent (webhook_id, order_key)."""
    reason = "The event is older than the webhook's deadline allows."
    return await tx.fetch(_EXPIRE_OVERDUE, webhook_ids, limit, reason)


_ENDED = """
ended as (
  delete from due_delivery q
  using chosen
  where q.delivery_id = chosen.delivery_id
  returning q.delivery_id, q.webhook_id, q.order_key
)
update delivery d
set status = 'expired', error_message = $3, finished_at = now()
from ended
where d.id = ended.delivery_id
returning ended.webhook_id, ended.order_key
"""

_EXPIRE_OVERDUE = f"""
with chosen as (
  select delivery_id
  from due_delivery
  where expires_at <= now() and session_id is null and webhook_id = any($1::uuid[])
  order by expires_at
  limit $2
  for update skip locked
), {_ENDED}
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


async def lock_endpoint(tx: Transaction, webhook_id: UUID) -> None:
    """Lock one endpoint, if it is still there."""
    await tx.execute("select 1 from endpoint where webhook_id = $1 for no key update", webhook_id)


async def expire_oldest(tx: Transaction, webhook_id: UUID, *, count: int) -> list[Row]:
    """End the oldest deliveries of a locked endpoint that holds too many (webhook_id, order_key)."""
    reason = "The webhook was away for so long that more was held than may be."
    return await tx.fetch(_EXPIRE_OLDEST, webhook_id, count, reason)


_EXPIRE_OLDEST = f"""
with chosen as (
  select delivery_id
  from due_delivery
  where webhook_id = $1 and session_id is null
  order by order_no
  limit $2
  for update skip locked
), {_ENDED}
"""
