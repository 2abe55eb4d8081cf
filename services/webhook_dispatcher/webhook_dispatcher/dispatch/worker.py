"""The worker: claims ahead, sends what its slots allow, records in batches. Three loops around one state.

Claiming ahead keeps the slots full without a round trip per request: an endpoint that answers well gets a longer
queue here, one that fails gets back what waits. The next batch of records is whatever finished meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool
from webhook_dispatcher.dispatch import endpoints
from webhook_dispatcher.dispatch.deliver import Deliverer
from webhook_dispatcher.dispatch.leases import Finished, Lease, Target
from webhook_dispatcher.dispatch.outcome import Delivered, Exhausted, Gone, RetryAt, classify
from webhook_dispatcher.dispatch.record import Recorded, Recorder, soonest
from webhook_dispatcher.dispatch.sessions import Sessions
from webhook_dispatcher.instruments import Instruments

log = structlog.get_logger()

_RECORD_AT_ONCE = 500
_MOST_AHEAD = 512
_LEASED_PER_SLOT = 10
_SLOW_S = 1.0
_WAKE_LATE_S = 0.002  # a timer may fire a moment before the database's clock is there


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Requests under way at once, in all and per endpoint, and how often others' plans are looked for.

    Of a probe there is word after `probe_lease_s` seconds, or its worker is dead.
    """

    in_flight: int = 100
    in_flight_per_endpoint: int = 10
    poll_s: float = 0.1
    probe_lease_s: float = 30.0


@dataclass(slots=True)
class _Lane:
    """One endpoint as this worker sees it. `leased` counts until the record is committed.

    `width` is how many requests it gets at once: it begins narrow and widens with each quick success, so that
    endpoints that hang hold few slots.
    """

    allowance: int
    width: int = 2
    queue: deque[Lease] = field(default_factory=deque)
    in_flight: int = 0
    leased: int = 0


class Worker:
    """Sends deliveries of one process."""

    def __init__(
        self,
        lease_pool: Pool,
        sessions: Sessions,
        deliverer: Deliverer,
        recorder: Recorder,
        *,
        limits: WorkerLimits,
        instruments: Instruments,
        fault_points: FaultPoints,
    ) -> None:
        self._pool = lease_pool
        self._sessions = sessions
        self._deliverer = deliverer
        self._recorder = recorder
        self._limits = limits
        self._instruments = instruments
        self._fault_points = fault_points
        self._lanes: dict[UUID, _Lane] = {}
        # Those with something to start; who was just served goes to the end.
        self._waiting: dict[UUID, _Lane] = {}
        self._finished: deque[Finished] = deque()
        self._unstarted: list[Lease] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._leased = 0
        self._in_flight = 0
        self._stopping = False
        self._may_claim = asyncio.Event()
        self._may_send = asyncio.Event()
        self._may_record = asyncio.Event()

    def wake(self) -> None:
        """Something was planned or became due: look now."""
        self._may_claim.set()

    async def drain(self, timeout_s: float) -> None:
        """Start nothing more; wait for what is under way, and for its record."""
        self._stopping = True
        for lane in self._lanes.values():
            self._give_back(lane)
        try:
            async with asyncio.timeout(timeout_s):
                while self._tasks or self._finished or self._unstarted:  # noqa: ASYNC110 - three conditions
                    await asyncio.sleep(0.01)
        except TimeoutError:
            log.warning("drain_incomplete", in_flight=len(self._tasks), unrecorded=len(self._finished))
        for task in self._tasks:
            task.cancel()

    # -------------------------------------------------------------------------------------------- claim

    async def run_claims(self, heartbeat: Heartbeat) -> None:
        """Lease what is due, as far as there is room."""
        while True:
            heartbeat.beat()
            self._may_claim.clear()
            claimed = await self._claim()
            if claimed:
                self._instruments.claimed.observe(claimed)
                self._may_send.set()
                continue
            await _wait(self._may_claim, self._limits.poll_s)

    async def _claim(self) -> int:
        free = _LEASED_PER_SLOT * self._limits.in_flight - self._leased
        if self._stopping or free < self._limits.in_flight or not self._sessions.may_start:
            return 0
        full = [key for key, lane in self._lanes.items() if lane.leased * 2 > lane.allowance]
        leases = await endpoints.claim(
            self._pool,
            self._sessions.current,
            free=free,
            full=full,
            room_of=self._room_of,
            dead_after_s=self._sessions.dead_after_s,
            probe_lease_s=self._limits.probe_lease_s,
        )
        for lease in leases:
            lane = self._lane(lease.webhook_id)
            lane.queue.append(lease)
            lane.leased += 1
            self._waiting[lease.webhook_id] = lane
        self._count_leased(len(leases))
        return len(leases)

    def _room_of(self, webhook_id: UUID) -> int:
        lane = self._lanes.get(webhook_id)
        return self._first_allowance if lane is None else max(0, lane.allowance - lane.leased)

    def _lane(self, webhook_id: UUID) -> _Lane:
        lane = self._lanes.get(webhook_id)
        if lane is None:
            lane = self._lanes[webhook_id] = _Lane(self._first_allowance)
        return lane

    @property
    def _first_allowance(self) -> int:
        return 2 * self._limits.in_flight_per_endpoint

    # --------------------------------------------------------------------------------------------- send

    async def run_sends(self, heartbeat: Heartbeat) -> None:
        """Start attempts while there are slots."""
        while True:
            heartbeat.beat()
            self._may_send.clear()
            ready = list(self._ready())
            if ready:
                await self._deliverer.prepare(ready)
                self._start_prepared()
            if not ready or not self._sessions.may_start:
                await _wait(self._may_send, 0.25)

    def _ready(self) -> Iterable[Lease]:
        """The next leases that slots allow, one endpoint after the other."""
        free = self._limits.in_flight - self._in_flight
        for lane in self._waiting.values():
            slots = min(self._width(lane) - lane.in_flight, len(lane.queue), free)
            for position in range(max(0, slots)):
                yield lane.queue[position]
            free -= max(0, slots)
            if free <= 0:
                return

    def _start_prepared(self) -> None:
        if self._stopping or not self._sessions.may_start:
            return
        generation = self._sessions.current.generation
        for lease in list(self._ready()):
            if not self._deliverer.is_prepared(lease):
                continue
            lane = self._lanes[lease.webhook_id]
            if not lane.queue or lane.queue[0] is not lease:
                continue
            if lease.generation != generation:
                lane.queue.popleft()
                self._forget(lease)
                continue
            target = self._deliverer.target(lease.webhook_id)
            if target is None or not target.takes(lease):
                self._give_back(lane)
                continue
            if lane.in_flight >= self._width(lane):
                continue
            lane.queue.popleft()
            self._start(lease, target, lane)
        self._turn_waiting()

    def _turn_waiting(self) -> None:
        served = [key for key, lane in self._waiting.items() if lane.in_flight or not lane.queue]
        for key in served:
            lane = self._waiting.pop(key)
            if lane.queue:
                self._waiting[key] = lane

    def _width(self, lane: _Lane) -> int:
        return min(lane.width, self._limits.in_flight_per_endpoint)

    def _start(self, lease: Lease, target: Target, lane: _Lane) -> None:
        lane.in_flight += 1
        self._in_flight += 1
        self._instruments.in_flight.set(self._in_flight)
        task = asyncio.create_task(self._attempts(lease, target, lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempts(self, lease: Lease, target: Target, lane: _Lane) -> None:
        """One slot: this attempt, and then the next of the same endpoint as long as it needs no look-up."""
        following: tuple[Lease, Target] | None = (lease, target)
        try:
            while following is not None:
                self._finish(lane, await self._deliverer.attempt(*following))
                following = self._next_prepared(lane)
        finally:
            lane.in_flight -= 1
            self._in_flight -= 1
            self._instruments.in_flight.set(self._in_flight)
            self._may_send.set()

    def _next_prepared(self, lane: _Lane) -> tuple[Lease, Target] | None:
        crowded = len(self._waiting) * self._limits.in_flight_per_endpoint > self._limits.in_flight
        if not lane.queue or crowded or lane.in_flight > self._width(lane):
            return None
        if self._stopping or not self._sessions.may_start:
            return None
        lease = lane.queue[0]
        if lease.generation != self._sessions.current.generation or not self._deliverer.is_prepared(lease):
            return None
        target = self._deliverer.target(lease.webhook_id)
        if target is None or not target.takes(lease):
            return None
        return lane.queue.popleft(), target

    def _finish(self, lane: _Lane, finished: Finished) -> None:
        self._fault_points.reached("send.done")
        self._adapt(lane, finished)
        self._instruments.attempts.labels(classify(finished.result)).inc()
        self._instruments.attempt_duration.observe(finished.result.duration_s)
        self._finished.append(finished)
        self._may_record.set()

    def _adapt(self, lane: _Lane, finished: Finished) -> None:
        outcome = finished.outcome
        if isinstance(outcome, Delivered) and finished.result.duration_s < _SLOW_S:
            lane.allowance = min(lane.allowance + 1, _MOST_AHEAD)
            lane.width = min(lane.width + 1, self._limits.in_flight_per_endpoint)
            return
        lane.width = max(1, lane.width // 2)
        lane.allowance = self._first_allowance
        asked_for_silence = isinstance(outcome, RetryAt | Exhausted) and outcome.endpoint_block_s > 0
        if asked_for_silence or isinstance(outcome, Gone):
            self._give_back(lane)

    def _give_back(self, lane: _Lane) -> None:
        if lane.queue:
            self._unstarted.extend(lane.queue)
            lane.queue.clear()
            self._may_record.set()

    # ------------------------------------------------------------------------------------------- record

    async def run_records(self, heartbeat: Heartbeat) -> None:
        """Write what finished; what could not be written stays until it is."""
        while True:
            heartbeat.beat()
            self._may_record.clear()
            finished = [self._finished[n] for n in range(min(len(self._finished), _RECORD_AT_ONCE))]
            unstarted = list(self._unstarted)
            if not finished and not unstarted:
                await _wait(self._may_record, 5.0)
                continue
            recorded = await self._recorder.record(self._sessions.current.id, finished, unstarted)
            for _ in finished:
                self._finished.popleft()
            del self._unstarted[: len(unstarted)]
            for lease in [*(one.lease for one in finished), *unstarted]:
                self._forget(lease)
            self._count(recorded)
            self._after(recorded)

    def _after(self, recorded: Recorded) -> None:
        loop = asyncio.get_running_loop()
        for delay_s in soonest(recorded.due_in_s):
            loop.call_later(delay_s + _WAKE_LATE_S, self.wake)
        for webhook_id, transition in recorded.transitions:
            log.warning("webhook_state_changed", webhook_id=str(webhook_id), transition=transition)
            self._instruments.transitions.labels(transition).inc()
            lane = self._lanes.get(webhook_id)
            if lane is not None and transition != "enabled":
                self._give_back(lane)
        self._may_claim.set()

    def _forget(self, lease: Lease) -> None:
        lane = self._lanes[lease.webhook_id]
        lane.leased -= 1
        self._count_leased(-1)
        if lane.leased == 0 and len(self._lanes) > 10_000:
            del self._lanes[lease.webhook_id]

    def _count_leased(self, difference: int) -> None:
        self._leased += difference
        self._instruments.leased.set(self._leased)

    def _count(self, recorded: Recorded) -> None:
        for outcome in recorded.outcomes:
            self._instruments.deliveries.labels(outcome).inc()
        if recorded.fenced:
            self._instruments.fenced.inc(recorded.fenced)
            log.warning("records_fenced", count=recorded.fenced)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
