"""Removal of the files of exports whose time is over, and of jobs that ended long ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from chat_service.errors import StorageAway
from chat_service.jobs import store
from chat_service.uploads.objects import Objects
from chatsdk_runtime.postgres import Pool, reading, transaction

log = structlog.get_logger()

_BATCH: Final = 100
_REMEMBERED: Final = timedelta(days=90)


async def clean(pool: Pool, objects: Objects, beat: Callable[[], None]) -> None:
    """Remove all of them; while the object store is away files stay for the next time."""
    async with reading(pool) as connection:
        await store.forget_old(connection, before=datetime.now(UTC) - _REMEMBERED)
    while True:
        async with reading(pool) as connection:
            expired = await store.expired(connection, limit=_BATCH)
        for job in expired:
            beat()
            try:
                await objects.remove(job.file_path or "")
            except StorageAway:
                log.warning("job_files_kept", reason="the object store is away")
                return
            async with transaction(pool) as tx:
                await store.forget_file(tx, job.id)
        if not expired:
            return
