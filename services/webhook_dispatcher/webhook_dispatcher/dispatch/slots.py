"""Who gets the next request of a worker. Pure: the worker asks before it starts anything, and tells what became of it.

A slot is one request under way. What one endpoint, one app, or the whole of those that answer slowly can take is
bounded, so that the others never wait for them: a receiver that hangs costs its own slots and nobody else's.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from webhook_dispatcher.dispatch.leases import Lease

SLOW_S: Final = 1.0
"""An answer that takes longer, or is not there after so long, makes an endpoint a slow one."""

_FIRST_WIDTH: Final = 1

Standing = Literal["unknown", "quick", "slow"]


@dataclass(frozen=True, slots=True)
class SlotLimits:
    """Requests under way at once: in all, to one endpoint, and by what they are.

    Repeated attempts have at most half of all, so that a storm of retries leaves room for what is new; what is new
    leaves them a tenth. Slow endpoints have at most half together, and with those that are not known yet three quarters.
    """

    total: int = 200
    per_endpoint: int = 10
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def repeated(self) -> int:
        """At most so many that are not the first attempt of their delivery."""
        return max(1, self.total // 2)

    @property
    def first(self) -> int:
        """At most so many first attempts."""
        return max(1, self.total - self.total // 10)

    @property
    def slow(self) -> int:
        """At most so many to endpoints that are slow."""
        return max(1, self.total // 2)

    @property
    def unproven(self) -> int:
        """At most so many to endpoints that are slow or not known yet."""
        return max(1, self.total * 3 // 4)


@dataclass(slots=True)
class Lane:
    """One endpoint as a worker sees it. `leased` counts until the record is committed.

    `width` is how many requests it may have under way: it begins narrow, widens by one with each quick success and is
    halved by a failure (additive increase, multiplicative decrease).
    """

    app_id: str
    allowance: int
    width: int = _FIRST_WIDTH
    standing: Standing = "unknown"
    first: deque[Lease] = field(default_factory=deque)
    repeated: deque[Lease] = field(default_factory=deque)
    started: list[float] = field(default_factory=list)
    leased: int = 0

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return len(self.started)

    @property
    def waiting(self) -> int:
        """Leases that are not started."""
        return len(self.first) + len(self.repeated)

    def put(self, lease: Lease) -> None:
        """Queue a lease behind those of its kind."""
        (self.first if lease.kind == "first" else self.repeated).append(lease)

    def has(self, lease: Lease) -> bool:
        """Whether this lease is the next of its kind."""
        queue = self.first if lease.kind == "first" else self.repeated
        return bool(queue) and queue[0] is lease

    def remove(self, lease: Lease) -> None:
        """Take out the next of its kind."""
        (self.first if lease.kind == "first" else self.repeated).popleft()

    def take_all(self) -> list[Lease]:
        """Empty the queues."""
        leases = [*self.first, *self.repeated]
        self.first.clear()
        self.repeated.clear()
        return leases

    def standing_at(self, now: float) -> Standing:
        """What it is now: slow as well while a request is under way for long."""
        return "slow" if self.started and now - self.started[0] > SLOW_S else self.standing

    def succeeded(self, duration_s: float, *, widest: int) -> None:
        """A delivery was taken; quickly, and the endpoint may have more at once."""
        self.standing = "quick" if duration_s < SLOW_S else "slow"
        if self.standing == "quick":
            self.width = min(self.width + 1, widest)

    def failed(self) -> None:
        """An attempt failed."""
        self.width = max(1, self.width // 2)
        self.standing = "slow"


@dataclass(frozen=True, slots=True)
class Slot:
    """One request under way, as it is counted."""

    app_id: str
    started: float
    is_first: bool
    standing: Standing


class Slots:
    """Counts what is under way, and says what may start."""

    def __init__(self, limits: SlotLimits) -> None:
        self._limits = limits
        self._total = 0
        self._first = 0
        self._slots: dict[int, Slot] = {}
        self._apps: dict[str, int] = {}

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._total

    def start(self, lane: Lane, lease: Lease, now: float) -> Slot:
        """Count a request that starts now."""
        slot = Slot(lane.app_id, now, lease.kind == "first", lane.standing_at(now))
        lane.started.append(now)
        self._slots[id(slot)] = slot
        self._count(slot, 1)
        return slot

    def end(self, lane: Lane, slot: Slot) -> None:
        """It is over."""
        lane.started.remove(slot.started)
        del self._slots[id(slot)]
        self._count(slot, -1)

    def next_of(self, lane: Lane, now: float) -> Lease | None:
        """What of this endpoint may start; None when its queues are empty or it has what it may have."""
        return next((lease for _, lease in self.choose([lane], now)), None)

    def choose(self, lanes: Iterable[Lane], now: float) -> Iterator[tuple[Lane, Lease]]:
        """What may start now, each app in its turn by how much it has and what it weighs. Nothing is taken out.

        Within an app endpoints have their turns in the order of `lanes`.
        """
        if self._total >= self._limits.total:
            return
        trial = _Trial(self._limits, self._total, self._first, *self._unproven(now))
        by_app: dict[str, deque[_Candidate]] = {}
        for lane in lanes:
            by_app.setdefault(lane.app_id, deque()).append(_Candidate(lane, now))
        turns = [(self._share(app_id, 0), number, app_id) for number, app_id in enumerate(by_app)]
        heapq.heapify(turns)
        chosen = dict.fromkeys(by_app, 0)
        while turns and not trial.is_full:
            _, number, app_id = heapq.heappop(turns)
            candidates = by_app[app_id]
            while candidates:
                candidate = candidates.popleft()
                lease = candidate.next(trial)
                if lease is None:
                    continue
                yield candidate.lane, lease
                candidates.append(candidate)
                chosen[app_id] += 1
                heapq.heappush(turns, (self._share(app_id, chosen[app_id]), number, app_id))
                break

    def _unproven(self, now: float) -> tuple[int, int]:
        """How many requests are under way to slow endpoints, or for long already; and to unknown ones."""
        slow = unknown = 0
        for slot in self._slots.values():
            if slot.standing == "slow" or now - slot.started > SLOW_S:
                slow += 1
            elif slot.standing == "unknown":
                unknown += 1
        return slow, unknown

    def _share(self, app_id: str, more: int) -> float:
        return (self._apps.get(app_id, 0) + more) / self._limits.weights.get(app_id, 1.0)

    def _count(self, slot: Slot, difference: int) -> None:
        self._total += difference
        self._first += difference * slot.is_first
        count = self._apps.get(slot.app_id, 0) + difference
        if count:
            self._apps[slot.app_id] = count
        else:
            self._apps.pop(slot.app_id, None)


@dataclass(slots=True)
class _Trial:
    """The counts as they would be with what was chosen so far."""

    limits: SlotLimits
    total: int
    first: int
    slow: int
    unknown: int

    @property
    def is_full(self) -> bool:
        return self.total >= self.limits.total

    def allows_standing(self, standing: Standing) -> bool:
        if standing == "quick":
            return True
        has_room = self.slow + self.unknown < self.limits.unproven
        return has_room and (standing == "unknown" or self.slow < self.limits.slow)

    def allows(self, *, is_first: bool) -> bool:
        if is_first:
            return self.first < self.limits.first
        return self.total - self.first < self.limits.repeated

    def take(self, standing: Standing, *, is_first: bool) -> None:
        self.total += 1
        self.first += is_first
        self.slow += standing == "slow"
        self.unknown += standing == "unknown"


class _Candidate:
    """A lane with places in its queues, from which leases are chosen and not yet taken."""

    __slots__ = ("_first", "_repeated", "_standing", "_under_way", "_width", "lane")

    def __init__(self, lane: Lane, now: float) -> None:
        self.lane = lane
        self._standing = lane.standing_at(now)
        self._width = 1 if self._standing == "slow" else lane.width
        self._under_way = lane.in_flight
        self._first = 0
        self._repeated = 0

    def next(self, trial: _Trial) -> Lease | None:
        """The next lease that may start: what is repeated before what is new, since it has waited longer."""
        limits = trial.limits
        if trial.is_full or self._under_way >= min(self._width, limits.per_endpoint):
            return None
        if not trial.allows_standing(self._standing):
            return None
        lane = self.lane
        if self._repeated < len(lane.repeated) and trial.allows(is_first=False):
            lease, is_first = lane.repeated[self._repeated], False
            self._repeated += 1
        elif self._first < len(lane.first) and trial.allows(is_first=True):
            lease, is_first = lane.first[self._first], True
            self._first += 1
        else:
            return None
        self._under_way += 1
        trial.take(self._standing, is_first=is_first)
        return lease
