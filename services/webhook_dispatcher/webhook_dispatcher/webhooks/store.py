"""The SQL of registrations. A change of what is matched raises the app's registration version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.postgres import Connection, Row, Transaction
from webhook_dispatcher.dispatch.endpoint_rules import EndpointHealth
from webhook_dispatcher.webhooks.sending import Sending


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What is inserted; `state` is `active` or `off`."""

    id: UUID
    app_id: str
    url: str
    events: Sequence[str]
    description: str | None
    metadata: str
    created_by: str | None
    state: str


_COLUMNS = """
select w.id, w.app_id, w.url, w.events, w.description, w.metadata::text as metadata, w.created_by, w.created_at,
  w.updated_at, w.ladder, w.waits_s, w.deadline_s, w.ordering, w.park_after, e.rate_per_s,
  e.rate_burst, e.state, e.failure_count, e.failed_attempts, e.failing_since, e.last_failure_at
from webhook w
join endpoint e on e.webhook_id = w.id
"""


async def insert_webhook(tx: Transaction, webhook: NewWebhook) -> None:
    """The webhook and its endpoint."""
    await tx.execute(
        _INSERT,
        webhook.id,
        webhook.app_id,
        webhook.url,
        list(webhook.events),
        webhook.description,
        webhook.metadata,
        webhook.created_by,
        webhook.state,
    )


_INSERT = """
with made as (
  insert into webhook (id, app_id, url, events, description, metadata, created_by)
  values ($1, $2, $3, $4::text[], $5, $6::jsonb, $7)
  returning id, app_id
)
insert into endpoint (webhook_id, app_id, state)
select id, app_id, $8 from made
"""


async def raise_version(tx: Transaction, app_id: str) -> None:
    """The planner reloads this app before its next batch."""
    await tx.execute(_RAISE_VERSION, app_id)


_RAISE_VERSION = """
insert into app_registration as known (app_id, version)
values ($1, 1)
on conflict (app_id) do update set version = known.version + 1
"""


async def fetch_webhook(connection: Connection, app_id: str, webhook_id: UUID) -> Row | None:
    """A webhook of this app."""
    return await connection.fetchrow(_FETCH, webhook_id, app_id)


_FETCH = f"{_COLUMNS} where w.id = $1 and w.app_id = $2 and w.deleted_at is null"


async def lock_webhook(tx: Transaction, app_id: str, webhook_id: UUID) -> Row | None:
    """The same with its endpoint locked: the present state, and nobody changes it before the commit."""
    locked = await tx.fetchrow(_LOCK, webhook_id, app_id)
    return None if locked is None else await fetch_webhook(tx, app_id, webhook_id)


_LOCK = "select 1 from endpoint where webhook_id = $1 and app_id = $2 for no key update"


async def list_webhooks(connection: Connection, app_id: str, *, after: UUID | None, limit: int) -> list[Row]:
    """Webhooks of an app, oldest first."""
    return await connection.fetch(_LIST, app_id, after, limit)


_LIST = f"""
{_COLUMNS}
where w.app_id = $1 and w.deleted_at is null and ($2::uuid is null or w.id > $2)
order by w.id
limit $3
"""


async def update_webhook(tx: Transaction, webhook_id: UUID, fields: Mapping[str, Any]) -> None:
    """Set the fields given; the endpoint is locked."""
    await tx.execute(
        _UPDATE,
        webhook_id,
        fields.get("url"),
        fields.get("events"),
        "description" in fields,
        fields.get("description"),
        fields.get("metadata"),
    )


_UPDATE = """
update webhook
set url = coalesce($2, url),
    events = coalesce($3::text[], events),
    description = case when $4 then $5 else description end,
    metadata = coalesce($6::jsonb, metadata),
    updated_at = now()
where id = $1
"""


async def write_sending(tx: Transaction, webhook_id: UUID, sending: Sending) -> None:
    """What the owner chose of how the webhook is sent to; its endpoint is locked. A new rate begins with a full burst.

    Deliveries that only waited for one that is passed over now are due.
    """
    await tx.execute(_LET_ALL_FOLLOW, webhook_id, sending.park_after is not None)
    await tx.execute(
        _WRITE_SENDING,
        webhook_id,
        sending.ladder,
        sending.waits_s,
        sending.deadline_s,
        sending.ordering,
        sending.park_after,
        sending.rate_per_s,
        sending.rate_burst,
    )


_WRITE_SENDING = """
with chosen as (
  update webhook
  set ladder = $2, waits_s = $3::float8[], deadline_s = $4, ordering = $5, park_after = $6
  where id = $1
)
update endpoint
set rate_per_s = $7,
    rate_burst = $8,
    tokens = case when (rate_per_s, rate_burst) is distinct from ($7::float8, $8::integer) then null else tokens end,
    next_due_at = case
      when state = 'active' and next_due_at > now()
      then least(next_due_at, greatest(now(), blocked_until))
      else next_due_at
    end
where webhook_id = $1
"""


_LET_ALL_FOLLOW = """
update due_delivery q
set due_at = now()
where q.webhook_id = $1 and q.due_at = 'infinity'
  and not exists (
    select
    from due_delivery b
    where b.webhook_id = q.webhook_id and b.order_key = q.order_key and b.order_no < q.order_no
      and (b.due_at is not null or b.session_id is not null or not $2)
  )
"""


async def set_health(tx: Transaction, webhook_id: UUID, health: EndpointHealth) -> None:
    """What the owner decided; an active endpoint is due at once, whatever it was asked to wait for."""
    await tx.execute(
        _SET_HEALTH,
        webhook_id,
        health.state,
        health.failure_count,
        health.failed_attempts,
        health.failing_since,
    )


_SET_HEALTH = """
update endpoint e
set state = $2,
    failure_count = $3,
    failed_attempts = $4,
    failing_since = $5,
    blocked_until = case when $2 = 'active' then null else e.blocked_until end,
    held_from = case when $2 = 'active' then null else coalesce(e.held_from, e.next_order_no) end,
    probes = 0,
    probe_at = case
      when $2 = 'active' and exists (select from due_delivery q where q.webhook_id = $1 and q.due_at is null)
      then now()
    end,
    next_due_at = case when $2 = 'active' then (
      select min(coalesce(q.due_at, now()))
      from (
        (
          select due_at
          from due_delivery
          where webhook_id = $1 and session_id is null and due_at is not null
          order by due_at, order_no
          limit 1
        )
        union all
        (select due_at from due_delivery where webhook_id = $1 and due_at is null limit 1)
      ) q
    ) end
where e.webhook_id = $1
"""


async def delete_webhook(tx: Transaction, webhook_id: UUID) -> None:
    """End a locked webhook: nothing more is planned or sent; its unfinished deliveries end as failed."""
    await tx.execute(_END_DELIVERIES, webhook_id)
    await tx.execute("delete from endpoint where webhook_id = $1", webhook_id)
    await tx.execute("update webhook set deleted_at = now(), updated_at = now() where id = $1", webhook_id)
    await tx.execute("update webhook_secret set revoked_at = now() where webhook_id = $1", webhook_id)


_END_DELIVERIES = """
with ended as (
  delete from due_delivery where webhook_id = $1 returning delivery_id
)
update delivery d
set status = 'failed', error_message = 'The webhook was deleted.', finished_at = now()
from ended
where d.id = ended.delivery_id and d.status = 'pending'
"""


async def insert_secret(tx: Transaction, secret_id: UUID, webhook_id: UUID, sealed: Sealed) -> None:
    """A further secret, the newest from now on."""
    await tx.execute(_INSERT_SEALED, secret_id, webhook_id, sealed.key_id, sealed.ciphertext)


_INSERT_SEALED = """
insert into webhook_secret (id, webhook_id, key_id, ciphertext, created_at)
values ($1, $2, $3, $4, clock_timestamp())
"""


async def end_secrets(tx: Transaction, webhook_id: UUID, *, overlap_s: int) -> None:
    """The present secrets sign for so long still; 0 ends them now."""
    await tx.execute(_END_SECRETS, webhook_id, overlap_s)


_END_SECRETS = """
update webhook_secret
set expires_at = least(expires_at, now() + $2::integer * interval '1 second'),
    revoked_at = case when $2 = 0 then now() end
where webhook_id = $1 and revoked_at is null
"""


async def insert_test_delivery(
    tx: Transaction, ids: tuple[UUID, UUID, UUID], app_id: str, event_type: str, body: bytes
) -> None:
    """The event and the delivery of a test call (ids: event, delivery, webhook); it is in no queue."""
    event_id, delivery_id, webhook_id = ids
    await tx.execute(_INSERT_TEST, event_id, app_id, event_type, body, delivery_id, webhook_id)


_INSERT_TEST = """
with stored as (
  insert into event_body (event_id, app_id, type, body) values ($1, $2, $3, $4)
)
insert into delivery (id, webhook_id, app_id, event_id, event_type, status)
values ($5, $6, $2, $1, $3, 'pending')
"""
