"""Writing an export: one snapshot of the database, line by line into the object store.

A file is there whole or not at all, so that a process which dies leaves nothing half-written: whoever takes the job
over begins anew. Where the file will be is written down before it is, so that no file is ever forgotten.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from chat_service.events.log import append, export_event
from chat_service.exports import rules, store
from chat_service.exports.views import kind_of
from chat_service.jobs.bench import Bench, now
from chat_service.jobs.rules import Job
from chat_service.jobs.store import LeaseLost
from chatsdk_contracts.exports import Export, ExportCompleted
from chatsdk_contracts.ids import ExportId
from chatsdk_runtime.postgres import Connection, snapshot, transaction

_CHUNK_BYTES: Final = 64 * 1024
_RENEWED_EVERY_S: Final = 5.0


async def advance(kept_for: timedelta, bench: Bench, job: Job) -> Job:
    """Say where the file will be; then write the whole export, and say that it can be fetched."""
    if job.file_path is None or job.holder not in job.file_path:
        return await _begin(bench, job)
    counts: Counter[str] = Counter()
    try:
        async with snapshot(bench.pool) as connection:
            await store.take_time(connection)
            lines = _held(bench, job, _chunks(_lines(connection, job, counts)))
            await bench.objects.put(job.file_path, lines)
        return await _finish(kept_for, bench, job, counts)
    except LeaseLost:
        # Whoever has the job now writes a file of its own, or the job is gone with what it is about.
        await bench.objects.remove(job.file_path)
        raise


async def _begin(bench: Bench, job: Job) -> Job:
    """Every holder writes a file of its own, and removes what the one before may have left."""
    if job.file_path is not None:
        await bench.objects.remove(job.file_path)
    path = f"exports/{job.id[-2:]}/{job.id}/{job.holder}.ndjson"
    return await bench.save_alone(replace(job.at("writing"), file_path=path))


async def _finish(kept_for: timedelta, bench: Bench, job: Job, counts: Counter[str]) -> Job:
    size, cause = await bench.objects.size(job.file_path or ""), bench.cause(job)
    written = replace(
        job.done(cause.now), counts=dict(counts), file_size=size, expires_at=cause.now + kept_for
    )
    async with transaction(bench.pool) as tx:
        await append(tx, [export_event(ExportCompleted, cause, ExportId(job.id), _told(written))])
        return await bench.save(tx, written)


async def _lines(connection: Connection, job: Job, counts: Counter[str]) -> AsyncIterator[bytes]:
    about = {"of": kind_of(job), "app_id": job.app_id, "user_id": job.user_id, "channel_id": job.channel_id}
    yield rules.heading(about, now())
    if job.channel_id is not None:
        rows = store.read_channel(connection, job.app_id, job.channel_id)
    else:
        rows = store.read_user(connection, job.app_id, job.user_id or "")
    async for kind, row in rows:
        counts[kind] += 1
        yield rules.line(kind, row.items())


async def _chunks(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines in pieces that are worth a write."""
    held = bytearray()
    async for one in lines:
        held += one
        if len(held) >= _CHUNK_BYTES:
            yield bytes(held)
            held.clear()
    yield bytes(held)


async def _held(bench: Bench, job: Job, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks; the job is ours while they pass, or LeaseLost ends the write."""
    renewed_s = time.monotonic()
    async for chunk in chunks:
        if time.monotonic() - renewed_s > _RENEWED_EVERY_S:
            await bench.renew(job)
            renewed_s = time.monotonic()
        yield chunk


def _told(job: Job) -> Export:
    assert job.finished_at is not None, "it is done"
    return Export(
        id=ExportId(job.id),
        kind=kind_of(job),
        user_id=job.user_id,
        channel_id=job.channel_id,
        requested_by=job.requested_by,
        size=job.file_size or 0,
        created_at=job.created_at,
        completed_at=job.finished_at,
        expires_at=job.expires_at,
    )
