"""The states of an endpoint: what each outcome and each wish of the owner makes of it. Pure.

Applied under the endpoint row's lock, outcome by outcome, in the commit that records the attempts; the transition
that comes back is written to the outbox in the same commit, so that each is announced exactly once.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from webhook_dispatcher.dispatch.ladder import Ladder
from webhook_dispatcher.dispatch.outcome import Delivered, Exhausted, Gone, Outcome, RetryAt

EndpointState = Literal["active", "failing", "gone", "off"]
DisabledReason = Literal["failing", "gone", "off"]
Trigger = Literal["first", "retry", "drain", "probe", "replay", "test"]
Transition = Literal["disabled", "enabled", "gone"]

FAILED_DELIVERIES_TO_FAIL = 10
FAILED_ATTEMPTS_TO_FAIL = 10
FAILED_ATTEMPTS_SPAN_S = 60.0


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What is remembered of an endpoint's answers.

    `failure_count` counts deliveries that ended exhausted since the last success; `failed_attempts` and
    `failing_since` count attempts, for ladders that take hours to exhaust one delivery.
    """

    state: EndpointState = "active"
    failure_count: int = 0
    failed_attempts: int = 0
    failing_since: datetime | None = None

    @property
    def enabled(self) -> bool:
        """As the API shows it: true only while active."""
        return self.state == "active"

    @property
    def disabled_reason(self) -> DisabledReason | None:
        """As the API shows it."""
        return None if self.state == "active" else self.state

    @property
    def may_be_sent_to(self) -> bool:
        """Whether pending deliveries are sent; a failing endpoint gets probes only."""
        return self.state == "active"

    @property
    def holds(self) -> bool:
        """Whether new deliveries are planned and kept; an endpoint switched off by its owner skips them."""
        return self.state != "off"


@dataclass(frozen=True, slots=True)
class Probing:
    """Whether an endpoint is to be probed, and how many probes failed in a row.

    It is while it is failing, and while something is parked: then no event need come for it to be found well again.
    """

    is_wanted: bool = False
    probes: int = 0


@dataclass(slots=True)
class Answers:
    """What a batch of outcomes tells of one endpoint beside its health."""

    successes: int = 0
    has_parked: bool = False
    probe_ended: bool = False
    probe_failed: bool = False

    def take(self, outcome: Outcome, trigger: Trigger, *, parks: bool) -> None:
        """Count one outcome; `parks`: its delivery waits for a better day."""
        self.has_parked |= parks
        self.successes += isinstance(outcome, Delivered) and trigger not in {"replay", "test"}
        if trigger == "probe":
            self.probe_ended = True
            self.probe_failed |= isinstance(outcome, RetryAt | Exhausted)


@dataclass(frozen=True, slots=True)
class Change:
    """The health after a step, and what there is to announce about it."""

    health: EndpointHealth
    transition: Transition | None = None


def after_outcome(
    health: EndpointHealth, outcome: Outcome, *, trigger: Trigger, ladder: Ladder, now: datetime
) -> Change:
    """Take one attempt's outcome into account.

    A test changes nothing. A replay, a probe or a drain moves no counter (what is drained was counted when it ended
    exhausted), but a 410 is a 410. A success of any real delivery, or of a probe, brings a failing endpoint back;
    `gone` and `off` only their owner ends.
    """
    if trigger == "test" or health.state in {"gone", "off"}:
        return Change(health)
    match outcome:
        case Gone():
            return Change(replace(health, state="gone"), "gone")
        case Delivered():
            return _after_success(health, trigger)
        case RetryAt() | Exhausted():
            return _after_failure(health, outcome, trigger, ladder, now)
        case _:
            # A permanent refusal speaks of the request: the endpoint is well.
            return Change(health)


def next_probing(
    before: Probing, was: EndpointState, state: EndpointState, answers: Answers, *, has_more_parked: bool
) -> Probing | None:
    """The probing from now on, its wait beginning anew; None leaves it as it is.

    `has_more_parked`: whether something is parked still, after a success has released what it may.
    """
    if state in {"gone", "off"}:
        return Probing()
    if answers.successes:
        return Probing(is_wanted=has_more_parked)
    if answers.probe_ended:
        # A permanent refusal is no word about the endpoint, good or bad: the next delivery is tried after the same wait.
        return Probing(is_wanted=True, probes=before.probes + answers.probe_failed)
    if (state == "failing" and was != "failing") or (answers.has_parked and not before.is_wanted):
        return Probing(is_wanted=True)
    return None


def after_owner_sets_enabled(health: EndpointHealth, *, enabled: bool) -> Change:
    """`PATCH {"enabled": ...}`: true makes it active from any state with its counters at zero, false is `off`."""
    if enabled:
        if health.state == "active":
            return Change(health)
        return Change(EndpointHealth(), "enabled")
    if health.state == "off":
        return Change(health)
    return Change(replace(health, state="off"), "disabled")


def _after_success(health: EndpointHealth, trigger: Trigger) -> Change:
    if trigger == "replay":
        return Change(health)
    return Change(EndpointHealth(), "enabled" if health.state == "failing" else None)


def _after_failure(
    health: EndpointHealth, outcome: RetryAt | Exhausted, trigger: Trigger, ladder: Ladder, now: datetime
) -> Change:
    if trigger in {"drain", "probe", "replay"} or health.state != "active":
        # Deliveries that were under way when the endpoint began to fail do not count on.
        return Change(health)
    counted = replace(
        health,
        failure_count=health.failure_count + isinstance(outcome, Exhausted),
        failed_attempts=health.failed_attempts + 1,
        failing_since=health.failing_since or now,
    )
    if counted.failure_count >= FAILED_DELIVERIES_TO_FAIL or _fails_by_attempts(counted, ladder, now):
        return Change(replace(counted, state="failing"), "disabled")
    return Change(counted)


def _fails_by_attempts(health: EndpointHealth, ladder: Ladder, now: datetime) -> bool:
    """Ten attempts over a minute without a success.

    Only for ladders that climb longer than that minute: with the quick one ten exhausted deliveries, which the
    contract promises to wait for, come soon enough.
    """
    if ladder.climb_s <= FAILED_ATTEMPTS_SPAN_S or health.failing_since is None:
        return False
    span_s = (now - health.failing_since).total_seconds()
    return health.failed_attempts >= FAILED_ATTEMPTS_TO_FAIL and span_s >= FAILED_ATTEMPTS_SPAN_S
