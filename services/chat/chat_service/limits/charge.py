"""What came of counting one call: whether it may go on, and what its caller is told of the limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from chat_service.auth.principal import Principal
from chat_service.limits.errors import RateLimited
from chat_service.limits.rates import Action, Per, Rate
from chat_service.limits.rules import Meter
from chatsdk_contracts.ids import AppId


@dataclass(slots=True, eq=False)
class Drawn:
    """One bucket that calls are counted in, with the limit and the number of replicas that its meter was made for."""

    key: tuple[AppId, Action, Per, str]
    per: Per
    rate: Rate
    replicas: int
    meter: Meter


@dataclass(frozen=True, slots=True)
class Charge:
    """A call that was counted in each of its buckets, or, `refused_by` one of them, in none. `now`: monotonic."""

    action: Action
    caller: Principal
    drawn: Sequence[Drawn]
    refused_by: Drawn | None
    now: float

    @classmethod
    def free(cls, action: Action, caller: Principal) -> Self:
        """Limits are switched off."""
        return cls(action, caller, (), None, 0.0)

    @property
    def refusal(self) -> RateLimited | None:
        """Why the call may not go on."""
        if self.refused_by is None:
            return None
        one = self.refused_by
        return RateLimited(self.action, one.per, one.rate, one.meter.wait_s(self.now))

    def require(self) -> None:
        """Raises RateLimited when the call may not go on."""
        if (refusal := self.refusal) is not None:
            raise refusal

    def headers(self, wall_s: float) -> Sequence[tuple[bytes, bytes]]:
        """What an answer says of the bucket that has the smallest part left. `wall_s`: seconds since 1970."""
        if not self.drawn:
            return ()
        if self.refused_by is not None:
            burst, remaining, full_in_s = self._left(self.refused_by)
            remaining = 0
        else:
            burst, remaining, full_in_s = min(map(self._left, self.drawn), key=_part_left)
        return (
            (b"x-ratelimit-limit", b"%d" % burst),
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % math.ceil(wall_s + full_in_s)),
        )

    def _left(self, one: Drawn) -> tuple[float, int, float]:
        """Burst, what is left of it, and in how many seconds it is whole again."""
        meter = one.meter
        remaining = meter.remaining(self.now)
        return meter.burst, remaining, (meter.burst - remaining) / meter.per_second


def _part_left(left: tuple[float, int, float]) -> float:
    return left[1] / left[0]
