"""Removal of files: first the row says so, then the objects go, then the row.

Every step may be the last one before a crash: what is marked is taken up again, and an object that is gone is
gone. `maintenance` calls `clean`, on one replica at a time; a caller's DELETE calls `remove`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from chat_service.errors import StorageAway
from chat_service.uploads import store
from chat_service.uploads.objects import Objects
from chat_service.uploads.rules import folder_of, incoming_path
from chatsdk_contracts.ids import UploadId
from chatsdk_runtime.postgres import Pool, reading, transaction

log = structlog.get_logger()

_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a file may wait for its confirmation, and for a message that shows it."""

    pending: timedelta
    unlinked: timedelta


class Cleaner:
    """Finds the files whose time is over and removes them."""

    def __init__(self, pool: Pool, objects: Objects, lifetimes: Lifetimes) -> None:
        self._pool = pool
        self.objects = objects
        self._lifetimes = lifetimes

    async def clean(self, now: datetime, beat: Callable[[], None]) -> None:
        """Remove all of them; while the store is away they stay marked for the next time."""
        await self._mark(now, beat)
        try:
            await self._remove_marked(now, beat)
            await self._remove_written_beside(now, beat)
        except StorageAway as away:
            log.warning("upload_cleanup_interrupted", error=str(away.__cause__))

    async def _mark(self, now: datetime, beat: Callable[[], None]) -> None:
        marked = 1
        while marked:
            beat()
            async with transaction(self._pool) as tx:
                marked = await store.mark_expired(
                    tx,
                    pending_before=now - self._lifetimes.pending,
                    unlinked_before=now - self._lifetimes.unlinked,
                    limit=_BATCH,
                )

    async def _remove_marked(self, now: datetime, beat: Callable[[], None]) -> None:
        after: UUID | None = None
        while True:
            async with reading(self._pool) as connection:
                marked = await store.list_removing(connection, after, _BATCH)
            for upload in marked:
                beat()
                await remove(self._pool, self.objects, upload.id, now)
            if not marked:
                return
            after = UUID(marked[-1].id)

    async def _remove_written_beside(self, now: datetime, beat: Callable[[], None]) -> None:
        """A signed address outlives the confirmation: what was written to it afterwards belongs to nothing."""
        while True:
            async with reading(self._pool) as connection:
                ended = await store.list_written_beside(connection, now=now, limit=_BATCH)
            for upload_id in ended:
                beat()
                await self.objects.remove(incoming_path(upload_id))
                async with transaction(self._pool) as tx:
                    await store.close_address(tx, upload_id)
            if not ended:
                return


async def remove(pool: Pool, objects: Objects, upload_id: UploadId, now: datetime) -> None:
    """Delete a marked file's objects, then its row; the row waits while an address may still be written to."""
    await objects.remove_folder(folder_of(upload_id))
    async with transaction(pool) as tx:
        if await store.delete(tx, upload_id, now=now):
            log.info("upload_removed", upload_id=upload_id)
