"""The worker: claims ahead, sends what its slots allow, records in batches. Three loops around one state.

Claiming ahead keeps the slots full without a round trip per request: an endpoint that answers well gets a longer
queue here, one that fails a short one. The next batch of records is whatever finished meanwhile. Who may start is
decided by `slots.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
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
from webhook_dispatcher.dispatch.slots import Lane, Slot, SlotLimits, Slots
from webhook_dispatcher.instruments import Instruments

log = structlog.get_logger()

_RECORD_AT_ONCE = 500
_MOST_AHEAD = 512
_LEASED_PER_SLOT = 10
_FIRST_ALLOWANCE = 4
_ALLOWED_PER_SUCCESS = 2
_WAKE_LATE_S = 0.002  # a timer may fire a moment before the database's clock is there


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How often others' plans are looked for. Of a probe there is word after `probe_lease_s` seconds, or its worker is dead."""

    slots: SlotLimits = field(default_factory=SlotLimits)
    poll_s: float = 0.1
    probe_lease_s: float = 30.0


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
        self._slots = Slots(limits.slots)
        self._lanes: dict[UUID, Lane] = {}
        # Those with something to start; who was just served goes to the end.
        self._waiting: dict[UUID, Lane] = {}
        self._finished: deque[Finished] = deque()
        self._unstarted: list[Lease] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._leased = 0
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
        slots = self._limits.slots.total
        free = _LEASED_PER_SLOT * slots - self._leased
        if self._stopping or free < slots or not self._sessions.may_start:
            return 0
        leases = await endpoints.claim(
            self._pool,
            self._sessions.current,
            free=free,
            full=self._full(free),
            room_of=self._room_of,
            dead_after_s=self._sessions.dead_after_s,
            probe_lease_s=self._limits.probe_lease_s,
        )
        for lease in leases:
            lane = self._lanes.get(lease.webhook_id)
            if lane is None:
                lane = self._lanes[lease.webhook_id] = Lane(lease.app_id, _FIRST_ALLOWANCE)
            lane.put(lease)
            lane.leased += 1
            self._waiting[lease.webhook_id] = lane
        self._count_leased(len(leases))
        return len(leases)

    def _full(self, free: int) -> list[UUID]:
        """Endpoints that are not to be asked about: they have enough here, or all that are unproven have together."""
        unproven_full = 2 * free < _LEASED_PER_SLOT * self._limits.slots.total
        return [
            key
            for key, lane in self._lanes.items()
            if lane.leased * 2 > lane.allowance or (unproven_full and lane.standing != "quick")
        ]

    def _room_of(self, webhook_id: UUID) -> int:
        lane = self._lanes.get(webhook_id)
        return _FIRST_ALLOWANCE if lane is None else max(0, lane.allowance - lane.leased)

    # --------------------------------------------------------------------------------------------- send

    async def run_sends(self, heartbeat: Heartbeat) -> None:
        """Start attempts while there are slots."""
        while True:
            heartbeat.beat()
            self._may_send.clear()
            ready = self._ready()
            if ready:
                await self._deliverer.prepare([lease for _, lease in ready])
                self._start_prepared()
            if not ready or not self._sessions.may_start:
                await _wait(self._may_send, 0.25)

    def _ready(self) -> list[tuple[Lane, Lease]]:
        """The next leases that slots allow."""
        return list(self._slots.choose(self._waiting.values(), time.monotonic()))

    def _start_prepared(self) -> None:
        if self._stopping or not self._sessions.may_start:
            return
        for lane, lease in self._ready():
            if not self._deliverer.is_prepared(lease) or not lane.has(lease):
                continue
            if lease.generation != self._sessions.current.generation:
                lane.remove(lease)
                self._forget(lease)
                continue
            target = self._deliverer.target(lease.webhook_id)
            if target is None or not target.takes(lease):
                self._give_back(lane)
                continue
            self._start(lease, target, lane)
        self._turn_waiting()

    def _turn_waiting(self) -> None:
        served = [key for key, lane in self._waiting.items() if lane.started or not lane.waiting]
        for key in served:
            lane = self._waiting.pop(key)
            if lane.waiting:
                self._waiting[key] = lane

    def _start(self, lease: Lease, target: Target, lane: Lane) -> None:
        lane.remove(lease)
        slot = self._slots.start(lane, lease, time.monotonic())
        self._instruments.in_flight.set(self._slots.in_flight)
        task = asyncio.create_task(self._attempts(lease, target, lane, slot))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempts(self, lease: Lease, target: Target, lane: Lane, slot: Slot) -> None:
        """Make this attempt, and then the next of the same endpoint as long as it needs no look-up."""
        while True:
            try:
                self._finish(lane, await self._deliverer.attempt(lease, target))
            finally:
                self._slots.end(lane, slot)
                self._instruments.in_flight.set(self._slots.in_flight)
                self._may_send.set()
            following = self._next_prepared(lane)
            if following is None:
                return
            lease, target = following
            lane.remove(lease)
            slot = self._slots.start(lane, lease, time.monotonic())

    def _next_prepared(self, lane: Lane) -> tuple[Lease, Target] | None:
        limits = self._limits.slots
        is_crowded = len(self._waiting) * limits.per_endpoint > limits.total
        if is_crowded or self._stopping or not self._sessions.may_start:
            return None
        lease = self._slots.next_of(lane, time.monotonic())
        if lease is None or lease.generation != self._sessions.current.generation:
            return None
        if not self._deliverer.is_prepared(lease):
            return None
        target = self._deliverer.target(lease.webhook_id)
        return (lease, target) if target is not None and target.takes(lease) else None

    def _finish(self, lane: Lane, finished: Finished) -> None:
        self._fault_points.reached("send.done")
        self._adapt(lane, finished)
        self._instruments.attempts.labels(classify(finished.result)).inc()
        self._instruments.attempt_duration.observe(finished.result.duration_s)
        self._finished.append(finished)
        self._may_record.set()

    def _adapt(self, lane: Lane, finished: Finished) -> None:
        outcome = finished.outcome
        if isinstance(outcome, Delivered):
            lane.succeeded(finished.result.duration_s, widest=self._limits.slots.per_endpoint)
            if lane.standing == "quick":
                lane.allowance = min(lane.allowance + _ALLOWED_PER_SUCCESS, _MOST_AHEAD)
            return
        lane.failed()
        lane.allowance = 2 * lane.width
        asked_for_silence = isinstance(outcome, RetryAt | Exhausted) and outcome.endpoint_block_s > 0
        if asked_for_silence or isinstance(outcome, Gone):
            self._give_back(lane)

    def _give_back(self, lane: Lane) -> None:
        if leases := lane.take_all():
            self._unstarted.extend(leases)
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
