"""What every job works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chat_service.events.log import Cause
from chat_service.jobs import store
from chat_service.jobs.rules import Job
from chat_service.uploads.objects import Objects
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.postgres import Pool, Transaction, reading, transaction


@dataclass(slots=True)
class Progress:
    """Who is told that a job goes on: the heartbeat of the loop that does it."""

    beat: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Bench:
    """Made once by `app`: database, object store, and for how long a job is held between two saves."""

    pool: Pool
    objects: Objects
    epoch: int
    lease_s: float
    progress: Progress = field(default_factory=Progress)

    async def save(self, tx: Transaction, job: Job) -> Job:
        """Write how far the job is, in the transaction that did it.

        Raises:
            LeaseLost: somebody else does it now; nothing of this transaction must stay.
        """
        await store.save(tx, job, lease_s=self.lease_s)
        self.progress.beat()
        return job

    async def save_alone(self, job: Job) -> Job:
        """The same where nothing else is written."""
        async with transaction(self.pool) as tx:
            return await self.save(tx, job)

    async def renew(self, job: Job) -> None:
        """Go on holding a job whose chunk takes long.

        Raises:
            LeaseLost: somebody else does it now.
        """
        async with reading(self.pool) as connection:
            await store.renew(connection, job, lease_s=self.lease_s)
        self.progress.beat()

    def cause(self, job: Job) -> Cause:
        """Why its events exist: the app's servers asked for it."""
        return Cause(app_id=job.app_id, now=now(), epoch=self.epoch)


def now() -> datetime:
    """The clock, in the milliseconds that the wire carries."""
    return to_wire_precision(datetime.now(UTC))
