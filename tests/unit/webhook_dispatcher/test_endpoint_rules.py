"""When a webhook is healthy, failing, off or gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_dispatcher.dispatch.endpoint_rules import (
    Answers,
    Change,
    EndpointHealth,
    EndpointState,
    Probing,
    Trigger,
    after_outcome,
    after_owner_sets_enabled,
    next_probing,
)
from webhook_dispatcher.dispatch.ladder import QUICK, STANDARD, Ladder
from webhook_dispatcher.dispatch.outcome import Delivered, Exhausted, Gone, Outcome, RefusedForGood, RetryAt

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
AGAIN = RetryAt(1.0, "why")
EXHAUSTED = Exhausted("why")
REFUSED = RefusedForGood("why")
GONE = Gone("why")
STATES: tuple[EndpointState, ...] = ("active", "failing", "gone", "off")


def step(
    health: EndpointHealth,
    outcome: Outcome,
    trigger: Trigger = "retry",
    ladder: Ladder = QUICK,
    now: datetime = NOW,
) -> Change:
    return after_outcome(health, outcome, trigger=trigger, ladder=ladder, now=now)


def after(*outcomes: Outcome, health: EndpointHealth | None = None, trigger: Trigger = "retry") -> Change:
    change = Change(health or EndpointHealth())
    for outcome in outcomes:
        change = step(change.health, outcome, trigger)
    return change


def test_ten_consecutive_failed_deliveries_make_an_endpoint_failing() -> None:
    nine = after(*[EXHAUSTED] * 9)
    ten = step(nine.health, EXHAUSTED)

    assert nine.health.enabled
    assert nine.transition is None
    assert ten.transition == "disabled"
    assert (ten.health.enabled, ten.health.failure_count, ten.health.disabled_reason) == (
        False,
        10,
        "failing",
    )


def test_the_counter_moves_once_per_delivery_not_per_attempt() -> None:
    one_delivery: list[Outcome] = [AGAIN, AGAIN, AGAIN, EXHAUSTED]

    assert after(*one_delivery * 9).health.failure_count == 9
    assert after(*one_delivery * 10).transition == "disabled"


def test_a_success_zeroes_everything() -> None:
    one_bad_delivery: list[Outcome] = [AGAIN, EXHAUSTED]

    change = after(*one_bad_delivery * 9, Delivered())

    assert change == Change(EndpointHealth())


@pytest.mark.parametrize("trigger", ["probe", "replay", "test"])
@pytest.mark.parametrize("outcome", [AGAIN, EXHAUSTED, REFUSED], ids=["again", "exhausted", "refused"])
def test_probes_replays_and_tests_never_move_the_counter(trigger: Trigger, outcome: Outcome) -> None:
    nine = after(*[EXHAUSTED] * 9).health

    assert step(nine, outcome, trigger) == Change(nine)


@pytest.mark.parametrize("trigger", ["replay", "test"])
def test_a_successful_replay_or_test_zeroes_nothing(trigger: Trigger) -> None:
    nine = after(*[EXHAUSTED] * 9).health

    assert step(nine, Delivered(), trigger) == Change(nine)


@pytest.mark.parametrize("trigger", ["first", "retry", "drain"])
def test_a_permanent_refusal_never_moves_the_counter(trigger: Trigger) -> None:
    nine = after(*[EXHAUSTED] * 9).health

    assert step(nine, REFUSED, trigger) == Change(nine)


@pytest.mark.parametrize("trigger", ["first", "retry", "drain", "probe"])
def test_a_success_brings_a_failing_endpoint_back(trigger: Trigger) -> None:
    failing = after(*[EXHAUSTED] * 10).health

    assert step(failing, Delivered(), trigger) == Change(EndpointHealth(), "enabled")


def test_deliveries_under_way_when_it_began_to_fail_do_not_count_on() -> None:
    failing = after(*[EXHAUSTED] * 10).health

    assert after(*[EXHAUSTED] * 5, health=failing) == Change(failing)


@pytest.mark.parametrize("trigger", ["first", "retry", "drain", "probe", "replay"])
@pytest.mark.parametrize("state", ["active", "failing"])
def test_410_is_gone_for_every_real_delivery(state: EndpointState, trigger: Trigger) -> None:
    change = step(EndpointHealth(state=state, failure_count=3), GONE, trigger)

    assert change == Change(EndpointHealth(state="gone", failure_count=3), "gone")
    assert change.health.disabled_reason == "gone"


def test_410_to_a_test_changes_nothing() -> None:
    assert step(EndpointHealth(), GONE, "test") == Change(EndpointHealth())


@pytest.mark.parametrize("state", ["gone", "off"])
@pytest.mark.parametrize(
    "outcome", [AGAIN, EXHAUSTED, REFUSED, GONE, Delivered()], ids=lambda o: type(o).__name__
)
def test_only_the_owner_ends_gone_and_off(state: EndpointState, outcome: Outcome) -> None:
    health = EndpointHealth(state=state)

    assert step(health, outcome, "probe") == Change(health)
    assert step(health, outcome, "first") == Change(health)


@pytest.mark.parametrize("state", ["failing", "gone", "off"])
def test_the_owner_enables_from_any_state_with_a_clean_slate(state: EndpointState) -> None:
    health = EndpointHealth(state=state, failure_count=10, failed_attempts=40, failing_since=NOW)

    assert after_owner_sets_enabled(health, enabled=True) == Change(EndpointHealth(), "enabled")


@pytest.mark.parametrize("state", ["active", "failing", "gone"])
def test_the_owner_switches_off_from_any_state(state: EndpointState) -> None:
    change = after_owner_sets_enabled(EndpointHealth(state=state), enabled=False)

    assert change == Change(EndpointHealth(state="off"), "disabled")
    assert change.health.disabled_reason == "off"


def test_setting_what_is_set_already_changes_and_announces_nothing() -> None:
    active, off = EndpointHealth(failure_count=7), EndpointHealth(state="off")

    assert after_owner_sets_enabled(active, enabled=True) == Change(active)
    assert after_owner_sets_enabled(off, enabled=False) == Change(off)


def test_a_slow_ladder_fails_after_ten_attempts_over_a_minute() -> None:
    health = EndpointHealth()
    for second in range(0, 90, 10):
        change = step(health, AGAIN, ladder=STANDARD, now=NOW + timedelta(seconds=second))
        health = change.health
        assert change.transition is None

    change = step(health, AGAIN, ladder=STANDARD, now=NOW + timedelta(seconds=90))

    assert change.transition == "disabled"
    assert change.health.failure_count == 0


def test_ten_attempts_within_a_minute_are_no_reason_yet() -> None:
    health = EndpointHealth(failed_attempts=50, failing_since=NOW)

    change = step(health, AGAIN, ladder=STANDARD, now=NOW + timedelta(seconds=59))

    assert change.transition is None


def test_the_quick_ladder_waits_for_its_ten_deliveries_however_long_they_take() -> None:
    health = EndpointHealth(failure_count=8, failed_attempts=35, failing_since=NOW)

    change = step(health, EXHAUSTED, now=NOW + timedelta(hours=1))

    assert change.health.enabled
    assert change.health.failure_count == 9


@pytest.mark.parametrize(
    ("state", "sends", "holds"),
    [("active", True, True), ("failing", False, True), ("gone", False, True), ("off", False, False)],
)
def test_states_say_what_happens_to_pending_and_new_deliveries(
    state: EndpointState, sends: bool, holds: bool
) -> None:
    health = EndpointHealth(state=state)

    assert (health.may_be_sent_to, health.holds) == (sends, holds)


OUTCOMES = st.sampled_from([AGAIN, EXHAUSTED, REFUSED, GONE, Delivered()])
TRIGGERS: st.SearchStrategy[Trigger] = st.sampled_from(["first", "retry", "drain", "probe", "replay", "test"])


@given(st.lists(st.tuples(OUTCOMES, TRIGGERS), max_size=60))
def test_every_transition_is_announced_exactly_once(steps: list[tuple[Outcome, Trigger]]) -> None:
    health = EndpointHealth()
    for outcome, trigger in steps:
        change = step(health, outcome, trigger)
        changed = change.health.state != health.state
        assert (change.transition is not None) == changed
        assert change.health.failure_count <= 10
        health = change.health


@given(st.sampled_from(STATES), st.integers(min_value=0, max_value=10), OUTCOMES)
def test_a_test_event_leaves_no_trace(state: EndpointState, count: int, outcome: Outcome) -> None:
    health = replace(EndpointHealth(), state=state, failure_count=count)

    assert step(health, outcome, "test") == Change(health)


def answers(*outcomes: tuple[Outcome, Trigger], parks: bool = False) -> Answers:
    taken = Answers()
    for outcome, trigger in outcomes:
        taken.take(outcome, trigger, parks=parks)
    return taken


@pytest.mark.parametrize("trigger", ["probe", "replay", "drain"])
def test_what_was_counted_before_or_asked_for_counts_no_more(trigger: Trigger) -> None:
    health = EndpointHealth(failure_count=9, failed_attempts=40)
    assert after(EXHAUSTED, AGAIN, health=health, trigger=trigger) == Change(health)


@pytest.mark.parametrize(
    ("before", "was", "state", "taken", "has_more_parked", "expected"),
    [
        pytest.param(
            Probing(), "active", "failing", answers((EXHAUSTED, "retry")), False, Probing(True, 0), id="fails"
        ),
        pytest.param(
            Probing(True, 3),
            "failing",
            "failing",
            answers((AGAIN, "probe")),
            False,
            Probing(True, 4),
            id="a probe failed",
        ),
        pytest.param(
            Probing(True, 3),
            "failing",
            "failing",
            answers((REFUSED, "probe")),
            False,
            Probing(True, 3),
            id="a refusal is no failure",
        ),
        pytest.param(
            Probing(True, 3),
            "failing",
            "active",
            answers((Delivered(), "probe")),
            True,
            Probing(True, 0),
            id="well, and more is parked",
        ),
        pytest.param(
            Probing(True, 3),
            "failing",
            "active",
            answers((Delivered(), "probe")),
            False,
            Probing(),
            id="well, and nothing left",
        ),
        pytest.param(
            Probing(),
            "active",
            "active",
            answers((EXHAUSTED, "retry"), parks=True),
            False,
            Probing(True, 0),
            id="something is parked",
        ),
        pytest.param(
            Probing(True, 2),
            "active",
            "active",
            answers((EXHAUSTED, "retry"), parks=True),
            False,
            None,
            id="further ones wait for the same probe",
        ),
        pytest.param(
            Probing(), "active", "active", answers((AGAIN, "first")), False, None, id="only a retry"
        ),
        pytest.param(
            Probing(True, 2),
            "failing",
            "failing",
            answers((Delivered(), "replay")),
            False,
            None,
            id="a replay tells nothing",
        ),
        pytest.param(
            Probing(True, 2), "failing", "gone", answers((GONE, "probe")), False, Probing(), id="gone"
        ),
    ],
)
def test_an_endpoint_is_probed_while_it_fails_or_has_something_parked(
    before: Probing,
    was: EndpointState,
    state: EndpointState,
    taken: Answers,
    has_more_parked: bool,
    expected: Probing | None,
) -> None:
    assert next_probing(before, was, state, taken, has_more_parked=has_more_parked) == expected
