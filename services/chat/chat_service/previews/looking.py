"""The loop that looks at links and shows what they lead to. Any replica takes what is due; a crash loses nothing.

Nothing is open in the database while a page is fetched: a job is taken for a while, and comes again if nobody
finishes it in that time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import structlog

from chat_service.instruments import PreviewInstruments
from chat_service.previews import actions, rules, store
from chat_service.previews.fetching import NoPreview, PageFetcher
from chat_service.previews.store import Job
from chat_service.settings import ChatSettings
from chatsdk_contracts.messages import LinkPreview
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.outgoing.sender import Sender
from chatsdk_runtime.postgres import Pool, Transaction, reading, transaction

log = structlog.get_logger()

_AT_ONCE: Final = 8
_TAKEN_FOR: Final = timedelta(seconds=60)


class PreviewLoop:
    """The loop of one replica. `wake_relay` is called after each round that showed something."""

    def __init__(
        self,
        pool: Pool,
        fetcher: PageFetcher,
        *,
        epoch: int,
        poll_s: float,
        wake_relay: Callable[[], None],
        instruments: PreviewInstruments,
    ) -> None:
        self._pool = pool
        self._fetcher = fetcher
        self._epoch = epoch
        self._poll_s = poll_s
        self._wake_relay = wake_relay
        self._instruments = instruments

    @classmethod
    def open(
        cls,
        settings: ChatSettings,
        pool: Pool,
        pages: Sender,
        epoch: int,
        wake_relay: Callable[[], None],
        instruments: PreviewInstruments,
    ) -> Self:
        """The loop as one process runs it; `pages` visits what is linked."""
        return cls(
            pool,
            PageFetcher(pages, timeout_s=settings.preview_timeout_s),
            epoch=epoch,
            poll_s=settings.preview_poll_s,
            wake_relay=wake_relay,
            instruments=instruments,
        )

    async def run(self, heartbeat: Heartbeat) -> None:
        """Look for jobs; go on at once while there are more."""
        while True:
            heartbeat.beat()
            if not await self.step():
                await asyncio.sleep(self._poll_s)

    async def step(self) -> bool:
        """Take what is due, at most a few, and look at all of it; False when there was none."""
        now = _now()
        async with transaction(self._pool) as tx:
            jobs = await store.claim(tx, now, now + _TAKEN_FOR, _AT_ONCE)
        await asyncio.gather(*(self._look(job) for job in jobs))
        return bool(jobs)

    async def _look(self, job: Job) -> None:
        async with reading(self._pool) as connection:
            message = await actions.still_wanted(connection, job)
        links = [] if message is None else rules.links_in(message.text)
        seen = await asyncio.gather(*(self._fetcher.look_at(link) for link in links))
        for one in seen:
            self._instruments.links.labels(one.outcome if isinstance(one, NoPreview) else "shown").inc()
        previews = [one for one in seen if isinstance(one, LinkPreview)]
        failures = [one for one in seen if isinstance(one, NoPreview)]
        now = _now()
        async with transaction(self._pool) as tx:
            if previews:
                shown = await actions.show(tx, job, previews, epoch=self._epoch, now=now)
            else:
                shown = False
                await self._give_up(tx, job, failures, now)
        if shown:
            self._wake_relay()
        log.info(
            "links_looked_at",
            app_id=job.app_id,
            message_id=job.message_id,
            shown=len(previews) if shown else 0,
            failures=[one.outcome for one in failures],
        )

    async def _give_up(self, tx: Transaction, job: Job, failures: list[NoPreview], now: datetime) -> None:
        """Nothing to show: once more later if that may change, else never again."""
        outcome = ",".join(one.outcome for one in failures) or "void"
        again = rules.next_attempt(job.attempts, now) if any(one.passing for one in failures) else None
        if again is None:
            await store.finish(tx, job, outcome, now)
        else:
            await store.put_off(tx, job, outcome, again)


def _now() -> datetime:
    return to_wire_precision(datetime.now(UTC))
