"""Pure arithmetic of limits. A bucket holds up to `burst` tokens and gains `per_second`; a call takes one.

Replicas share a bucket so: each has a private allowance, a tenth of the limit divided by the number of replicas,
which it spends without asking. What goes beyond it comes out of shares: tokens that were taken from the one bucket
in the database, for about a second's use. All private allowances together are a tenth of the limit, and the shares
are exact; so whatever the calls, and on whichever replicas, no more than 11/10 of the limit are let through.

Times are seconds on any one clock that does not go back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

PRIVATE_PART: Final = 0.1
"""The part of a limit that all replicas together may spend without asking."""

SHARE_S: Final = 1.0
"""How long a share is meant to last; what is left of it then goes back."""

_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0


@dataclass(slots=True)
class Bucket:
    """Tokens that grow with time. A burst of less than one never holds a whole token: nothing can be taken."""

    per_second: float
    burst: float
    level: float
    at: float

    @classmethod
    def full(cls, per_second: float, burst: float, now: float) -> Bucket:
        """A bucket that nobody has taken from."""
        return cls(per_second, burst, burst, now)

    def fill(self, now: float) -> float:
        """The level, with what came in until now."""
        if now > self.at:
            self.level = min(self.burst, self.level + (now - self.at) * self.per_second)
            self.at = now
        return self.level

    def resize(self, per_second: float, burst: float, now: float) -> None:
        """Other limits from now on; what was spent stays spent."""
        spent = self.burst - self.fill(now)
        self.per_second, self.burst = per_second, burst
        self.level = max(0.0, burst - spent)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a replica asks of the database's bucket: so many tokens, giving so many back."""

    want: int
    give: int


class Meter:
    """One replica's part in one bucket: a private allowance, a share, and whether it may ask for more."""

    __slots__ = (
        "alone",
        "burst",
        "common",
        "demand",
        "denied_until",
        "earlier",
        "next_at",
        "per_second",
        "private",
        "share",
    )

    def __init__(self, per_second: float, burst: float, replicas: int, now: float) -> None:
        self.per_second = per_second
        self.burst = burst
        part = PRIVATE_PART / replicas
        self.private = Bucket.full(per_second * part, burst * part, now)
        # Stands in for the database's bucket while that cannot be asked.
        self.alone: Bucket | None = None
        self.share = 0
        # The level of the database's bucket when it was last asked; None: never.
        self.common: float | None = None
        # Until then asking is no use; and when, if nobody else asks, the next token is there.
        self.denied_until = -math.inf
        self.next_at = -math.inf
        self.demand = 0
        self.earlier = 0

    def resize(self, per_second: float, burst: float, replicas: int, now: float) -> None:
        """The limit, or the number of replicas, is another one from now on."""
        part = PRIVATE_PART / replicas
        if (per_second, burst) != (self.per_second, self.burst):
            self.per_second, self.burst = per_second, burst
            self.common, self.denied_until = None, -math.inf
            self.alone = None
        self.private.resize(per_second * part, burst * part, now)

    def has(self, now: float) -> bool:
        """Whether a call may be let through without asking."""
        return self.share >= 1 or self.private.fill(now) >= 1

    def take(self) -> None:
        """Let one call through that `has` has just allowed. The share goes first: the allowance bridges an asking."""
        if self.share >= 1:
            self.share -= 1
        else:
            self.private.level -= 1

    def put_back(self, now: float) -> None:
        """A call that was let through should not have counted."""
        if self.common is not None:
            self.share += 1
        else:
            self.private.level = min(self.private.burst, self.private.fill(now) + 1)

    def should_ask(self, now: float) -> bool:
        """Whether the limit is near, after `take`: half of the allowance is spent, and hardly a share is left."""
        private = self.private
        if private.level >= private.burst / 2 and private.burst >= 1:
            return False
        return self.denied_until <= now and self.share <= max(self.demand, self.earlier) // 4

    def wish(self) -> Wish:
        """What to ask for: as much as was wanted of late, less what is left; without demand it all goes back.

        What goes back is not spent any more from here on.
        """
        expected = max(self.demand, self.earlier)
        wanted = min(expected + 1, math.ceil(self.burst)) if expected else 0
        wish = Wish(max(0, wanted - self.share), max(0, self.share - wanted))
        self.share -= wish.give
        return wish

    def granted(self, wish: Wish, grant: int, level: float, now: float) -> None:
        """What came of a wish; `level`: what the common bucket holds after it."""
        self.share += grant
        self.common = level
        if grant < wish.want:
            self.next_at = now + max(_PAUSE_S, (1 - level) / self.per_second)
            self.denied_until = min(self.next_at, now + _LONGEST_PAUSE_S)

    def grant_alone(self, wish: Wish, replicas: int, now: float) -> None:
        """The same without the database: this replica's part of the whole limit, as if all were equally busy."""
        if self.alone is None:
            self.alone = Bucket.full(self.per_second / replicas, max(1.0, self.burst / replicas), now)
        bucket = self.alone
        level = min(bucket.burst, bucket.fill(now) + wish.give)
        grant = min(wish.want, math.floor(level))
        bucket.level = level - grant
        self.granted(wish, grant, bucket.level, now)

    def turn(self) -> None:
        """A second is over: its demand is what the next one is expected to be."""
        self.earlier, self.demand = self.demand, 0

    def remaining(self, now: float) -> int:
        """About how many calls are left, as far as this replica knows."""
        private = self.private.fill(now)
        if self.common is None:
            return max(0, math.floor(self.burst - (self.private.burst - private)))
        return max(0, math.floor(min(self.burst, self.common + self.share + private)))

    def wait_s(self, now: float) -> float:
        """Seconds until a call may go through, at the earliest; never 0, for nothing can be taken now."""
        return max(self.next_at - now, _PAUSE_S)
