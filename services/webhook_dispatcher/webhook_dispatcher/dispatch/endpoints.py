"""Claiming: due endpoints fairly by app, then the next deliveries of each, leased to this session.

Two statements in one short transaction; the second's snapshot is younger than the endpoints' locks, so a plan
that commits meanwhile is never slept over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from chatsdk_runtime.postgres import Pool, transaction
from webhook_dispatcher.dispatch import claim_store
from webhook_dispatcher.dispatch.leases import Lease, Session

_ENDPOINTS_AT_ONCE = 200


async def claim(
    pool: Pool,
    session: Session,
    *,
    free: int,
    full: Sequence[UUID],
    room_of: Callable[[UUID], int],
    dead_after_s: float,
    probe_lease_s: float,
) -> list[Lease]:
    """Lease at most `free` deliveries; `full` endpoints are left out, the others get `room_of` each.

    Probes come on top: one at most for each of the endpoints that are failing, or have something parked.
    """
    async with transaction(pool) as tx:
        due = await claim_store.lock_due_endpoints(
            tx, session, full, limit=min(_ENDPOINTS_AT_ONCE, free), dead_after_s=dead_after_s
        )
        if not due:
            return []
        rooms = [room_of(one.webhook_id) for one in due]
        return await claim_store.lease_due(tx, session, due, rooms, total=free, probe_lease_s=probe_lease_s)
