"""How much is allowed: the defaults, and what an app's owner makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from chatsdk_contracts.wire import WireModel

Action = Literal["send", "write", "read", "search", "upload"]
"""What a call counts as. `write`: every change but a message and a file; `read`: every answer but a search."""

Per = Literal["app", "user", "channel"]
"""Whose bucket: all calls of an app, those of one user with their own token, the messages of one channel."""


# One call in a quarter of an hour; less is no rate any more, and far less no number that PostgreSQL reckons with.
LEAST_PER_SECOND: Final = 0.001
MOST_PER_SECOND: Final = 1_000_000
MOST_AT_ONCE: Final = 10_000_000


class Rate(WireModel):
    """So many calls a second for ever, and so many at once after a rest."""

    per_second: Annotated[float, Field(ge=LEAST_PER_SECOND, le=MOST_PER_SECOND)]
    burst: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)]


class CallRates(WireModel):
    """The limits of one action; null is the default."""

    app: Rate | None = None
    user: Rate | None = None


class SendRates(CallRates):
    """The limits of messages, which a channel has too."""

    channel: Rate | None = None


class RateLimits(WireModel):
    """What an app's owner chose. The whole app's may only be lowered: the default is the operator's."""

    send: SendRates = SendRates()
    write: CallRates = CallRates()
    read: CallRates = CallRates()
    search: CallRates = CallRates()
    upload: CallRates = CallRates()


Limits = Mapping[tuple[Action, Per], Rate]

# Generous: several times what people do, and what one process writes at all for the sends of a whole app.
DEFAULTS: Final[Limits] = {
    ("send", "app"): Rate(per_second=5_000, burst=20_000),
    ("send", "user"): Rate(per_second=100, burst=1_000),
    ("send", "channel"): Rate(per_second=500, burst=5_000),
    ("write", "app"): Rate(per_second=5_000, burst=20_000),
    ("write", "user"): Rate(per_second=100, burst=1_000),
    ("read", "app"): Rate(per_second=10_000, burst=50_000),
    ("read", "user"): Rate(per_second=200, burst=2_000),
    ("search", "app"): Rate(per_second=500, burst=2_000),
    ("search", "user"): Rate(per_second=20, burst=200),
    ("upload", "app"): Rate(per_second=500, burst=2_000),
    ("upload", "user"): Rate(per_second=20, burst=200),
}


def effective(chosen: RateLimits, factor: float) -> dict[tuple[Action, Per], Rate]:
    """What holds for an app: the defaults, `factor` times as much, with what its owner chose put over them."""
    limits: dict[tuple[Action, Per], Rate] = {}
    for (action, per), default in DEFAULTS.items():
        most = _scaled(default, factor)
        own: Rate | None = getattr(getattr(chosen, action), per)
        if own is not None and per == "app":
            own = Rate(per_second=min(own.per_second, most.per_second), burst=min(own.burst, most.burst))
        limits[action, per] = own or most
    return limits


def _scaled(rate: Rate, factor: float) -> Rate:
    return Rate(
        per_second=max(LEAST_PER_SECOND, min(rate.per_second * factor, MOST_PER_SECOND)),
        burst=min(max(1, int(rate.burst * factor)), MOST_AT_ONCE),
    )
