"""The SQL of worker sessions, and of the leases that end with them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chatsdk_runtime.postgres import Connection, Transaction
from webhook_dispatcher.dispatch.leases import Session


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
where webhook_id = any($1::uuid[]) and state = 'active'
"""
