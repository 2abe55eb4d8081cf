"""What a counted call says of the limits, and what a refused one is told."""

import pytest

from chat_service.auth.principal import Principal
from chat_service.limits.charge import Charge, Drawn
from chat_service.limits.errors import RateLimited
from chat_service.limits.rates import Per, Rate
from chat_service.limits.rules import Meter, Wish
from chatsdk_contracts.ids import AppId

APP = AppId("01890a5d-ac96-774b-bcce-b302099a8057")
CALLER = Principal("server", APP)
RATE = Rate(per_second=10, burst=100)


def drawn(per: Per, *, left: int, level: float | None = None) -> Drawn:
    meter = Meter(RATE.per_second, RATE.burst, 1, 0.0)
    if level is None:
        meter.private.level = left - 90
    else:
        meter.private.level = 0
        meter.granted(Wish(1, 0), 0, level, 0.0)
    return Drawn((APP, "send", per, ""), per, RATE, 1, meter)


def test_the_answer_tells_of_the_bucket_that_is_nearest_to_its_end() -> None:
    charge = Charge("send", CALLER, [drawn("app", left=97), drawn("user", left=95)], None, 0.0)
    assert charge.headers(1_000.2) == (
        (b"x-ratelimit-limit", b"100"),
        (b"x-ratelimit-remaining", b"95"),
        (b"x-ratelimit-reset", b"1001"),
    )
    charge.require()


def test_a_refusal_names_bucket_limit_and_wait() -> None:
    empty = drawn("channel", left=0, level=-0.5)
    charge = Charge("send", CALLER, [drawn("app", left=95), empty], empty, 0.0)
    with pytest.raises(RateLimited) as refused:
        charge.require()
    error = refused.value
    assert (error.status_code, error.code) == (429, "rate_limited")
    assert (error.headers, error.extra) == ({"Retry-After": "1"}, {"retryAfterMs": 150})
    assert [(one.path, one.code) for one in error.details] == [("send.channel", "bucket_empty")]
    assert "10 a second, and 100 at once" in error.message
    assert "150 ms" in str(error.hint)
    assert dict(charge.headers(0.0))[b"x-ratelimit-remaining"] == b"0"


def test_without_limits_nothing_is_said() -> None:
    assert Charge.free("read", CALLER).headers(0.0) == ()
