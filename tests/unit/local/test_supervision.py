"""When a process that ended starts again."""

import pytest

from deploy.local.processes import Identity
from deploy.local.supervision import LONGEST_DELAY_S, SETTLED_S, Ward, delay_after

ONE = Identity(pid=1, started=1, boot="boot")


def _ward() -> Ward:
    return Ward("chat", lambda: ONE)


@pytest.mark.parametrize(
    ("failures", "delay_s"),
    [
        pytest.param(0, 0.1, id="at once"),
        pytest.param(1, 0.2, id="then twice as long"),
        pytest.param(4, 1.6, id="and so on"),
        pytest.param(1_000, LONGEST_DELAY_S, id="but never longer than five seconds"),
    ],
)
def test_the_delay_grows_with_early_deaths(failures: int, delay_s: float) -> None:
    assert delay_after(failures) == pytest.approx(delay_s)


def test_who_lived_for_a_while_starts_again_at_once() -> None:
    ward = _ward()
    ward.failures = 5
    ward.begun(ONE, now=100)

    delay = ward.ended(now=100 + SETTLED_S)

    assert delay == pytest.approx(0.1)
    assert not ward.is_due(now=100 + SETTLED_S)
    assert ward.is_due(now=100.2 + SETTLED_S)


def test_who_keeps_dying_waits_longer_each_time() -> None:
    ward = _ward()
    delays = []
    for number in range(3):
        ward.begun(ONE, now=number)
        delays.append(ward.ended(now=number))

    assert delays == [pytest.approx(0.2), pytest.approx(0.4), pytest.approx(0.8)]


def test_who_runs_is_not_due() -> None:
    ward = _ward()
    assert ward.is_due(now=0)

    ward.begun(ONE, now=0)

    assert not ward.is_due(now=1_000_000)
