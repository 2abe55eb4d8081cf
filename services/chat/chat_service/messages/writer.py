"""The batched writer: all sends and reactions that wait now, in one transaction.

Three statements for the sends, and two more, in the second phase of the same transaction, if there are reactions.

No timer: a writer takes what waits when its connection is free, so that a lone send is written at once and a
crowd shares a commit. Writers split the channels by hash, each with a connection of its own. Nothing that
decides is read before the channel's lock is held: a statement that waits for a row keeps its old snapshot.

A batch that fails is written again one by one, so that one bad send fails alone. A connection lost at commit
leaves an unknown outcome: the batch is written again, and what had been committed is found by its client id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from zlib import crc32

import structlog
from prometheus_client import Counter

from chat_service.errors import OutcomeUnknown, Overloaded, ReactionNotFound
from chat_service.instruments import ChatInstruments
from chat_service.messages.batch import write_batch
from chat_service.messages.rules import Repeat, ScreenedSend, Verdict
from chat_service.messages.waiting import Sent, Waiting, WaitingReaction, WaitingSend, WriteQueue
from chat_service.reactions.rules import Reacted, Reacting
from chatsdk_contracts.ids import MessageId
from chatsdk_contracts.wire import data_json, to_wire_precision
from chatsdk_runtime.errors import ServiceError, Unavailable
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import (
    DATABASE_AWAY,
    PLANNED_ONCE,
    Connection,
    Replanning,
    connect,
    is_bad_argument,
    transaction_on,
)

log = structlog.get_logger()

BUSY_LIMIT_S = 2.0
OUTAGE_LIMIT_S = 5.0
_BUSY_PAUSE_S = 0.002

# Rows are looked up by key, always: a plan made while the tables were small must not scan them when they are not.
_BY_KEY_ONLY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    **PLANNED_ONCE,
}


Outcome = TypeVar("Outcome")


class MessageWriter:
    """The doors' side: put a send or a reaction into its writer's queue and wait for what comes of it."""

    def __init__(
        self,
        direct_url: str,
        *,
        writers: int,
        queue_limit: int,
        epoch: int,
        wake_relay: Callable[[], None],
        instruments: ChatInstruments,
        faults: FaultPoints,
    ) -> None:
        self._instruments = instruments
        self.lanes = [
            WriterLane(
                direct_url,
                queue=WriteQueue(queue_limit),
                epoch=epoch,
                wake_relay=wake_relay,
                instruments=instruments,
                faults=faults,
            )
            for _ in range(writers)
        ]

    async def write(self, send: ScreenedSend) -> Sent:
        """Write one send with whatever else waits.

        Raises:
            ServiceError: refused; or 503 `overloaded`, `unavailable`, `outcome_unknown`.
        """
        waiting = WaitingSend(send, asyncio.get_running_loop().create_future(), _deadline_s())
        counter = self._instruments.sends
        sent = await self._outcome(waiting, waiting.outcome, counter)
        counter.labels("repeat" if sent.duplicate else "stored").inc()
        return sent

    async def react(self, reacting: Reacting) -> Reacted:
        """Write one reaction, likewise.

        Raises:
            ServiceError: as for sends.
        """
        waiting = WaitingReaction(reacting, asyncio.get_running_loop().create_future(), _deadline_s())
        counter = self._instruments.reactions
        reacted = await self._outcome(waiting, waiting.outcome, counter)
        counter.labels("stored" if reacted.changed else "repeat").inc()
        return reacted

    async def _outcome(self, waiting: Waiting, outcome: asyncio.Future[Outcome], counter: Counter) -> Outcome:
        lane = self.lanes[crc32(waiting.wanted.channel_id.encode()) % len(self.lanes)]
        lane.put(waiting)
        # A timer and no `asyncio.timeout`: the same end at a third of the cost, and every send pays it.
        limit = asyncio.get_running_loop().call_later(OUTAGE_LIMIT_S, _give_up, waiting)
        try:
            return await outcome
        except TimeoutError:
            counter.labels("timeout").inc()
            if waiting.attempted:
                raise OutcomeUnknown from None
            raise Unavailable(
                "The database cannot be reached right now; nothing was stored.",
                hint="Send the same request again in a moment.",
                headers={"Retry-After": "1"},
            ) from None
        except ServiceError as refusal:
            counter.labels("refused" if refusal.status_code < 500 else "failed").inc()
            raise
        finally:
            limit.cancel()


class WriterLane:
    """One writer: a queue, a connection, a loop."""

    def __init__(
        self,
        direct_url: str,
        *,
        queue: WriteQueue,
        epoch: int,
        wake_relay: Callable[[], None],
        instruments: ChatInstruments,
        faults: FaultPoints,
    ) -> None:
        self._direct_url = direct_url
        self._queue = queue
        self._epoch = epoch
        self._wake_relay = wake_relay
        self._instruments = instruments
        self._faults = faults
        self._arrived = asyncio.Event()

    def put(self, waiting: Waiting) -> None:
        """Take a send or a reaction in.

        Raises:
            Overloaded: too many wait already.
        """
        if self._queue.is_full:
            raise Overloaded
        self._queue.put(waiting)
        self._arrived.set()

    async def run(self, heartbeat: Heartbeat) -> None:
        """Write batches for as long as the database answers; what was not written stays in the queue."""
        connection = await connect(
            self._direct_url, application_name="chat-writer", server_settings=_BY_KEY_ONLY
        )
        plans = Replanning()
        try:
            while True:
                heartbeat.beat()
                await plans.refresh(connection)
                batch = self._queue.take()
                if batch:
                    await self._write(connection, batch)
                else:
                    await self._idle()
        finally:
            connection.terminate()

    async def _idle(self) -> None:
        self._arrived.clear()
        try:
            async with asyncio.timeout(5.0):
                await self._arrived.wait()
        except TimeoutError:
            return

    async def _write(self, connection: Connection, batch: Sequence[Waiting]) -> None:
        started_s = time.perf_counter()
        self._instruments.write_batch.observe(len(batch))
        try:
            busy = await self._attempt(connection, batch)
        except Exception as failure:
            if _is_outage(failure):
                self._queue.put_back(one for one in batch if not one.outcome.done())
                raise
            log.exception("write_batch_failed", size=len(batch))
            await self._write_alone(connection, batch)
            return
        self._instruments.write_seconds.observe(time.perf_counter() - started_s)
        if busy:
            self._wait_for_busy(busy)
            await asyncio.sleep(_BUSY_PAUSE_S)

    async def _write_alone(self, connection: Connection, batch: Sequence[Waiting]) -> None:
        for position, waiting in enumerate(batch):
            try:
                busy = await self._attempt(connection, [waiting])
            except Exception as failure:
                if _is_outage(failure):
                    self._queue.put_back(one for one in batch[position:] if not one.outcome.done())
                    raise
                log.exception("write_failed", channel_id=waiting.wanted.channel_id)
                _refuse(waiting, ServiceError("It could not be stored."))
            else:
                self._wait_for_busy(busy)

    def _wait_for_busy(self, busy: Sequence[Waiting]) -> None:
        """Somebody else holds these channels: next round, for at most two seconds."""
        now_s = time.monotonic()
        for waiting in busy:
            if waiting.deadline_s < now_s:
                _refuse(waiting, Unavailable("The channel is busy.", headers={"Retry-After": "1"}))
        self._queue.put_back(one for one in busy if not one.outcome.done())

    async def _attempt(self, connection: Connection, batch: Sequence[Waiting]) -> list[Waiting]:
        """One transaction. Settles every caller but those whose channel is busy, which are returned."""
        now = to_wire_precision(datetime.now(UTC))
        sends = [one for one in batch if isinstance(one, WaitingSend)]
        reacting = [one for one in batch if isinstance(one, WaitingReaction)]
        async with transaction_on(connection) as tx:
            written = await write_batch(
                tx,
                [one.wanted for one in sends],
                [one.wanted for one in reacting],
                now=now,
                epoch=self._epoch,
            )
            for reaction, outcome in zip(reacting, written.reacted, strict=True):
                if reaction.attempted and isinstance(outcome, ReactionNotFound):
                    # Perhaps it was this very call that took it back, in a commit whose answer was lost.
                    _refuse(reaction, OutcomeUnknown())
            if written.is_change:
                for one in batch:
                    one.attempted = True
        if written.is_change:
            self._faults.reached("write.committed")
            self._wake_relay()
        for send, verdict in zip(sends, written.verdicts, strict=True):
            if verdict is not None:
                _settle(send, verdict, written.bodies)
        for reaction, outcome in zip(reacting, written.reacted, strict=True):
            if outcome is not None:
                _settle_reaction(reaction, outcome)
        busy: list[Waiting] = [
            one for one, verdict in zip(sends, written.verdicts, strict=True) if verdict is None
        ]
        return busy + [one for one, verdict in zip(reacting, written.reacted, strict=True) if verdict is None]


def _is_outage(failure: Exception) -> bool:
    """Whether waiting helps: the database is away, and not merely refusing a value."""
    return isinstance(failure, DATABASE_AWAY) and not is_bad_argument(failure)


def _deadline_s() -> float:
    return time.monotonic() + BUSY_LIMIT_S


def _settle(waiting: WaitingSend, verdict: Verdict, bodies: Mapping[MessageId, bytes]) -> None:
    if isinstance(verdict, ServiceError):
        _refuse(waiting, verdict)
        return
    if waiting.outcome.done():
        return
    message = verdict.message
    data = bodies.get(message.id) or data_json(message)
    waiting.outcome.set_result(Sent(message, data, isinstance(verdict, Repeat)))


def _settle_reaction(waiting: WaitingReaction, outcome: Reacted | ServiceError) -> None:
    if isinstance(outcome, ServiceError):
        _refuse(waiting, outcome)
    elif not waiting.outcome.done():
        waiting.outcome.set_result(outcome)


def _give_up(waiting: Waiting) -> None:
    """End the caller's wait; the writer leaves out whoever does not wait any more."""
    if not waiting.outcome.done():
        waiting.outcome.set_exception(TimeoutError())


def _refuse(waiting: Waiting, refusal: ServiceError) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(refusal)
