"""The arithmetic of limits: nothing above 11/10 gets through, whatever the replicas do, and little below is refused."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.limits.rules import PRIVATE_PART, Bucket, Meter, Wish

RATES = st.sampled_from([0.5, 5.0, 50.0, 1_000.0])
BURSTS = st.sampled_from([1, 3, 20, 400, 5_000])
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["call", "call", "call", "ask", "turn", "wait", "refund"])),
    max_size=200,
)


@dataclass
class Common:
    """The database's bucket, as its statement does it."""

    bucket: Bucket

    def lease(self, meter: Meter, now: float) -> None:
        wish = meter.wish()
        level = min(self.bucket.burst, self.bucket.fill(now) + wish.give)
        grant = min(wish.want, math.floor(level))
        self.bucket.level = level - grant
        meter.granted(wish, grant, self.bucket.level, now)


@dataclass
class Replicas:
    """Some replicas before one bucket, and what they let through."""

    per_second: float
    burst: int
    number: int
    now: float = 0.0
    through: int = 0
    meters: list[Meter] = field(init=False)
    common: Common = field(init=False)

    def __post_init__(self) -> None:
        self.meters = [Meter(self.per_second, self.burst, self.number, 0.0) for _ in range(self.number)]
        self.common = Common(Bucket.full(self.per_second, self.burst, 0.0))

    def call(self, meter: Meter) -> bool:
        meter.demand += 1
        if not meter.has(self.now) and meter.denied_until <= self.now:
            self.common.lease(meter, self.now)
        if not meter.has(self.now):
            return False
        meter.take()
        self.through += 1
        if meter.should_ask(self.now):
            self.common.lease(meter, self.now)
        return True

    @property
    def allowed(self) -> float:
        return self.burst + self.now * self.per_second


@given(RATES, BURSTS, st.integers(1, 3), STEPS, st.sampled_from([0.001, 0.1, 1.0]))
def test_all_replicas_together_let_no_more_through_than_eleven_tenths(
    per_second: float, burst: int, number: int, steps: list[tuple[int, str]], tick_s: float
) -> None:
    replicas = Replicas(per_second, burst, number)
    for which, step in steps:
        meter = replicas.meters[which % number]
        if step == "call":
            replicas.call(meter)
        elif step == "ask":
            replicas.common.lease(meter, replicas.now)
        elif step == "turn":
            meter.turn()
            replicas.common.lease(meter, replicas.now)
        elif step == "wait":
            replicas.now += tick_s
        elif replicas.through:
            meter.put_back(replicas.now)
            replicas.through -= 1
        assert replicas.through <= (1 + PRIVATE_PART) * replicas.allowed + 1e-6
        assert meter.share >= 0
        assert 0 <= meter.remaining(replicas.now) <= burst


@pytest.mark.parametrize(
    ("per_second", "burst"),
    [(50.0, 100), (5.0, 5), (1.0, 1), (2_000.0, 4_000)],
    ids=["usual", "small", "one", "large"],
)
@pytest.mark.parametrize("busy", [1, 2, 3])
def test_whoever_calls_gets_nine_tenths_at_least_wherever_they_call(
    per_second: float, burst: int, busy: int
) -> None:
    replicas = Replicas(per_second, burst, 3)
    calls_a_step = max(1, int(per_second / 50))
    for step in range(1_000):
        for _ in range(2 * calls_a_step):
            replicas.call(replicas.meters[step % busy])
        replicas.now += 0.01
        if step % 100 == 99:
            for meter in replicas.meters:
                meter.turn()
                replicas.common.lease(meter, replicas.now)
    assert 0.9 * replicas.allowed - 1 <= replicas.through <= 1.1 * replicas.allowed


def test_far_from_the_limit_nobody_is_asked() -> None:
    meter = Meter(100.0, 1_000, 2, 0.0)
    now = 0.0
    for _ in range(1_000):
        assert meter.has(now)
        meter.take()
        assert not meter.should_ask(now)
        now += 0.25
    assert meter.common is None


@pytest.mark.parametrize(
    ("share", "demand", "earlier", "wish"),
    [
        (0, 0, 0, Wish(0, 0)),
        (0, 10, 0, Wish(11, 0)),
        (4, 10, 20, Wish(17, 0)),
        (30, 10, 20, Wish(0, 9)),
        (30, 0, 0, Wish(0, 30)),
        (0, 900, 0, Wish(100, 0)),
    ],
    ids=[
        "nothing",
        "first",
        "the busier second",
        "too much left",
        "idle: all goes back",
        "never above burst",
    ],
)
def test_what_is_asked_for(share: int, demand: int, earlier: int, wish: Wish) -> None:
    meter = Meter(10.0, 100, 1, 0.0)
    meter.share, meter.demand, meter.earlier = share, demand, earlier
    assert meter.wish() == wish
    # What goes back cannot be spent while the answer is awaited.
    assert meter.share == share - wish.give


def test_after_a_no_nobody_asks_again_at_once_and_the_wait_is_told() -> None:
    meter = Meter(0.5, 1, 1, 0.0)
    meter.demand = 1
    meter.granted(Wish(1, 0), 0, 0.25, 10.0)
    assert not meter.should_ask(10.5)
    assert meter.should_ask(11.01)
    assert meter.wait_s(10.0) == pytest.approx(1.5)


@given(RATES, BURSTS, st.integers(1, 4), st.floats(0, 20))
def test_without_the_database_a_replica_lets_its_part_through(
    per_second: float, burst: int, number: int, lasting_s: float
) -> None:
    meter, now, through = Meter(per_second, burst, number, 0.0), 0.0, 0
    for step in range(200):
        now = lasting_s * step / 200
        meter.demand += 1
        if not meter.has(now):
            meter.grant_alone(meter.wish(), number, now)
        if meter.has(now):
            meter.take()
            through += 1
    part = (burst + lasting_s * per_second) / number
    assert through <= max(1.0, part) * (1 + PRIVATE_PART) + 1
    assert through >= 1


def test_more_replicas_and_other_limits_keep_what_was_spent() -> None:
    meter = Meter(10.0, 1_000, 1, 0.0)
    for _ in range(30):
        meter.take()
    meter.resize(10.0, 1_000, 2, 0.0)
    assert (meter.private.burst, meter.private.level) == (50, 20)
    meter.resize(10.0, 200, 2, 0.0)
    assert (meter.private.burst, meter.private.level) == (10, 0)


def test_a_clock_that_stands_still_gives_nothing() -> None:
    bucket = Bucket(5.0, 10.0, 3.0, 100.0)
    assert bucket.fill(100.0) == 3
    assert bucket.fill(99.0) == 3
    assert bucket.fill(101.0) == 8
    assert bucket.fill(200.0) == 10
