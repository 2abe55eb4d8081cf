"""The loop that does jobs: takes one that is due, advances it chunk by chunk, puts it back when something fails.

Every chunk is a transaction of its own, which also writes how far the job is: whoever takes a job over goes on where
the last commit left it. Two workers never advance one job, for each save asks that the lease is still theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

import structlog

from chat_service.errors import StorageAway
from chat_service.instruments import JobInstruments
from chat_service.jobs import store
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import MOST_FAILURES, Job, JobKind, NotNow, pause_s
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import DATABASE_AWAY, reading

log = structlog.get_logger()

Advance = Callable[[Job], Awaitable[Job]]
"""Does one chunk of a job and returns where it is then, saved."""


class JobWorker:
    """The loop of one replica. `advance` has what to do for each kind; `wake_relay` is called after each chunk."""

    def __init__(
        self,
        bench: Bench,
        advance: Mapping[JobKind, Advance],
        *,
        poll_s: float,
        wake_relay: Callable[[], None],
        instruments: JobInstruments,
    ) -> None:
        self._bench = bench
        self._advance = advance
        self._poll_s = poll_s
        self._wake_relay = wake_relay
        self._instruments = instruments

    async def run(self, heartbeat: Heartbeat) -> None:
        """Do what is due, then look again."""
        self._bench.progress.beat = heartbeat.beat
        while True:
            heartbeat.beat()
            if not await self.work():
                await asyncio.sleep(self._poll_s)

    async def work(self) -> bool:
        """Take one job and do it as far as it goes; False when none is due."""
        async with reading(self._bench.pool) as connection:
            job = await store.claim(
                connection, uuid4(), kinds=list(self._advance), lease_s=self._bench.lease_s
            )
        if job is None:
            return False
        with structlog.contextvars.bound_contextvars(job_id=job.id, job_kind=job.kind, app_id=job.app_id):
            await self._finish(job)
        return True

    async def _finish(self, job: Job) -> None:
        try:
            while not job.is_finished:
                job = await self._advance[job.kind](job)
                self._wake_relay()
            self._instruments.ended.labels(job.kind, "done").inc()
            log.info("job_done", counts=dict(job.counts))
        except store.LeaseLost:
            log.info("job_lease_lost")
        except DATABASE_AWAY:
            raise
        except NotNow as reason:
            log.info("job_waits", reason=str(reason))
            await self._put_back(job, reason.pause_s, failed=False)
        except StorageAway:
            await self._put_back(job, pause_s(1), failed=False)
        except Exception as failure:
            # Whatever is wrong with one job must not stop the others, nor end the process again and again.
            log.exception("job_failed", failures=job.failures + 1, error=type(failure).__name__)
            await self._put_back(job, pause_s(job.failures + 1), failed=True)

    async def _put_back(self, job: Job, rest_s: float, *, failed: bool) -> None:
        given_up = failed and job.failures + 1 >= MOST_FAILURES
        result = "given_up" if given_up else "failed" if failed else "waits"
        self._instruments.ended.labels(job.kind, result).inc()
        async with reading(self._bench.pool) as connection:
            await store.put_back(connection, job, pause_s=rest_s, failed=failed, given_up=given_up)
