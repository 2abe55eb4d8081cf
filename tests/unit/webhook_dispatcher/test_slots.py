"""Who gets the next request: nobody takes what others need."""

from collections import Counter
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from chatsdk_contracts.ids import new_id
from webhook_dispatcher.dispatch.leases import Lease
from webhook_dispatcher.dispatch.slots import SLOW_S, Lane, Slot, SlotLimits, Slots, Standing

LIMITS = SlotLimits(total=20, per_endpoint=5)
NOW = 1_000.0


def lease(*, attempt: int = 1) -> Lease:
    event_id = new_id()
    delivery_id = uuid5(UUID(int=0), event_id)
    return Lease(delivery_id, UUID(int=1), event_id, "message.new", 1, attempt, False, None, 1)


def lane(app_id: str = "a", *, first: int = 0, repeated: int = 0, standing: Standing = "quick") -> Lane:
    made = Lane(app_id, 100, width=5, standing=standing)
    for _ in range(first):
        made.put(lease())
    for _ in range(repeated):
        made.put(lease(attempt=2))
    return made


def start_all(slots: Slots, lanes: list[Lane], now: float = NOW) -> list[tuple[Lane, Slot]]:
    """Start whatever may start."""
    started = []
    for chosen, one in list(slots.choose(lanes, now)):
        assert chosen.has(one)
        chosen.remove(one)
        started.append((chosen, slots.start(chosen, one, now)))
    return started


def test_no_endpoint_gets_more_than_its_width_and_all_together_no_more_than_there_is() -> None:
    slots = Slots(LIMITS)
    lanes = [lane(first=10) for _ in range(3)]
    assert Counter(id(one) for one, _ in start_all(slots, lanes)) == {id(one): 5 for one in lanes}
    assert slots.next_of(lanes[0], NOW) is None
    start_all(slots, [lane(first=10) for _ in range(9)])
    # A tenth is left to what is repeated.
    assert slots.in_flight == 18
    start_all(slots, [lane(repeated=10)])
    assert slots.in_flight == 20


def test_a_storm_of_retries_leaves_half_to_what_is_new() -> None:
    slots = Slots(LIMITS)
    start_all(slots, [lane(repeated=10) for _ in range(10)])
    assert slots.in_flight == 10
    start_all(slots, [lane(first=10) for _ in range(10)])
    assert slots.in_flight == 20


def test_slow_endpoints_get_half_together_and_unknown_ones_what_is_left_of_three_quarters() -> None:
    slots = Slots(LIMITS)
    assert len(start_all(slots, [lane(first=10, standing="slow") for _ in range(30)])) == 10
    assert len(start_all(slots, [lane(first=10, standing="unknown") for _ in range(30)])) == 5
    assert len(start_all(slots, [lane(repeated=10) for _ in range(30)])) == 5


def test_of_unknown_endpoints_that_hang_not_all_can_be_waited_for() -> None:
    slots = Slots(LIMITS)
    assert len(start_all(slots, [lane(first=10, standing="unknown") for _ in range(30)])) == 15
    later = NOW + SLOW_S + 0.1
    assert start_all(slots, [lane(first=10, standing="unknown") for _ in range(30)], later) == []
    assert start_all(slots, [lane(first=10, standing="slow") for _ in range(30)], later) == []
    assert len(start_all(slots, [lane(first=10)], later)) == 3


def test_an_endpoint_that_was_well_and_hangs_now_gets_nothing_more() -> None:
    slots = Slots(LIMITS)
    one = lane(first=10)
    one.width = 3
    assert len(start_all(slots, [one])) == 3
    one.width = 5
    assert start_all(slots, [one], NOW + SLOW_S + 0.1) == []


def test_a_failure_halves_the_width_and_quick_answers_widen_it_one_by_one() -> None:
    one = lane()
    one.width = 8
    one.failed()
    assert (one.width, one.standing) == (4, "slow")
    one.succeeded(0.01, widest=5)
    one.succeeded(0.01, widest=5)
    assert (one.width, one.standing) == (5, "quick")
    one.succeeded(SLOW_S * 2, widest=5)
    assert (one.width, one.standing) == (5, "slow")
    for _ in range(9):
        one.failed()
    assert one.width == 1


def test_apps_share_by_their_weight_however_many_endpoints_they_have() -> None:
    slots = Slots(SlotLimits(total=40, per_endpoint=5, weights={"heavy": 2.0}))
    many = [lane("many", first=10) for _ in range(20)]
    few = [lane("few", first=10) for _ in range(2)]
    heavy = [lane("heavy", first=10) for _ in range(20)]
    started = start_all(slots, [*many, *few, *heavy])
    assert Counter(one.app_id for one, _ in started) == {"many": 9, "few": 9, "heavy": 18}


LANES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 12),
        st.integers(0, 12),
        st.sampled_from(["unknown", "quick", "slow"]),
        st.integers(1, 9),
    ),
    max_size=12,
)


@given(LANES, st.lists(st.integers(0, 1_000), max_size=60))
def test_whatever_comes_and_ends_the_bounds_hold_and_no_slot_is_lost(
    made: list[tuple[str, int, int, Standing, int]], ends: list[int]
) -> None:
    lanes = []
    for app_id, first, repeated, standing, width in made:
        one = lane(app_id, first=first, repeated=repeated, standing=standing)
        one.width = width
        lanes.append(one)
    slots = Slots(LIMITS)
    running: list[tuple[Lane, Slot]] = []
    now = NOW
    for end in [*ends, 0]:
        running += start_all(slots, lanes, now)
        kinds = Counter(slot.is_first for _, slot in running)
        assert slots.in_flight == len(running) <= LIMITS.total
        assert kinds[True] <= LIMITS.first
        assert kinds[False] <= LIMITS.repeated
        assert sum(slot.standing != "quick" for _, slot in running) <= LIMITS.unproven
        assert sum(slot.standing == "slow" for _, slot in running) <= LIMITS.slow
        assert all(one.in_flight <= min(one.width, LIMITS.per_endpoint) for one in lanes)
        assert list(slots.choose(lanes, now)) == [], "whatever may start has started"
        if running:
            slots.end(*running.pop(end % len(running)))
        now += 0.3
