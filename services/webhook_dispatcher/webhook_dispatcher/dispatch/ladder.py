"""Retry ladders: how long to wait after which failed attempt. Pure; chance is handed in.

`outcome.judge` climbs one; which ladder a webhook has is stored with it. Probes of an endpoint that fails have waits
of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

# A number in [0, 1) at each call; `random.random` in production, a constant in tests.
Chance = Callable[[], float]

MAX_RUNGS = 50
MAX_WAIT_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Ladder:
    """`waits_s[n]` is the wait after attempt n+1; after the last one there is no further attempt.

    Each wait is stretched by a factor between `least` and `most`, so that what failed together does not come back
    together.
    """

    name: str
    waits_s: tuple[float, ...]
    least: float
    most: float

    @property
    def attempts(self) -> int:
        """All attempts of a delivery, the first included."""
        return len(self.waits_s) + 1

    @property
    def climb_s(self) -> float:
        """The sum of the plain waits."""
        return sum(self.waits_s)

    def at_most(self, attempts: int | None) -> Ladder:
        """The same, cut after so many attempts; None leaves it whole."""
        return self if attempts is None else replace(self, waits_s=self.waits_s[: attempts - 1])

    def wait_s(self, attempt: int, chance: Chance) -> float | None:
        """Seconds from the end of failed attempt number `attempt` (from 1) to the next; None if it was the last."""
        if attempt < 1:
            raise ValueError("attempts are counted from 1")
        if attempt > len(self.waits_s):
            return None
        factor = self.least + (self.most - self.least) * chance()
        return self.waits_s[attempt - 1] * min(self.most, max(self.least, factor))


# The contract allows waits up to 1.25 times the plain one, seen at the receiver. Up to 1.15 is chance; the rest is
# left to the worker's wake-up and to dialling.
QUICK = Ladder("quick", (1.0, 2.0, 4.0), 1.0, 1.15)

# Standard Webhooks' ladder: about 76 hours from the first attempt to the last.
STANDARD = Ladder(
    "standard",
    (5.0, 30.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0),
    0.8,
    1.2,
)


def named_ladder(name: str, waits_s: tuple[float, ...] | None, *, quick_unit_s: float = 1.0) -> Ladder:
    """A webhook's ladder as it is stored; `quick_unit_s` is the quick one's first wait."""
    if waits_s is not None:
        return custom_ladder(waits_s)
    if name == STANDARD.name:
        return STANDARD
    if quick_unit_s == 1.0:
        return QUICK
    return Ladder(
        QUICK.name, tuple(wait_s * quick_unit_s for wait_s in QUICK.waits_s), QUICK.least, QUICK.most
    )


def custom_ladder(waits_s: tuple[float, ...]) -> Ladder:
    """A webhook's own ladder. ValueError if it has no rung, too many, or a wait outside (0, 7 days]."""
    if not 0 < len(waits_s) <= MAX_RUNGS:
        raise ValueError(f"a ladder has 1 to {MAX_RUNGS} waits")
    if not all(0 < wait <= MAX_WAIT_S for wait in waits_s):
        raise ValueError("a wait is more than 0 and at most 604800 seconds")
    return Ladder("custom", waits_s, 0.8, 1.2)


@dataclass(frozen=True, slots=True)
class ProbeWaits:
    """How long a failing endpoint is left alone: twice as long after each probe that failed, up to `most_s`."""

    first_s: float = 30.0
    most_s: float = 3600.0

    def wait_s(self, probes: int, chance: Chance) -> float:
        """Seconds until the next one, when `probes` failed in a row; any time up to the whole wait (full jitter).

        Source: AWS Architecture Blog, "Exponential Backoff and Jitter".
        """
        waited_s = math.ldexp(self.first_s, min(probes, 62))
        return min(self.most_s, waited_s) * chance()
