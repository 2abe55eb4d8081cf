"""What chat took out of its log goes here as well: bodies, echoes of them in replies, parked events.

A delivery keeps its place and its outcome; what is still to be sent is sent as the event is now.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from chatsdk_runtime.postgres import Pool, reading, transaction
from chatsdk_runtime.service_client import Redaction
from webhook_dispatcher.dispatch import expunge_store
from webhook_dispatcher.dispatch.deliver import BodyCache

log = structlog.get_logger()


class Expunger:
    """Follows redactions, for the database and for the bodies that this process remembers."""

    def __init__(self, pool: Pool, bodies: BodyCache) -> None:
        self._pool = pool
        self._bodies = bodies

    async def followed(self) -> int:
        """The position up to which the database has followed."""
        async with reading(self._pool) as connection:
            return await expunge_store.read_position(connection)

    async def follow(self, redactions: Sequence[Redaction], up_to: int) -> None:
        """Replace the bytes of these events, wherever they are."""
        present = {one.event_id: one.body for one in redactions if one.body is not None}
        async with transaction(self._pool) as tx:
            replaced = await expunge_store.replace_bodies(tx, present) if present else 0
            await expunge_store.move_position(tx, up_to)
        self._bodies.forget(one.event_id for one in redactions)
        if replaced:
            log.info("bodies_expunged", events=replaced)
