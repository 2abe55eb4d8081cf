"""Which limits hold for an app."""

import pytest

from chat_service.limits.rates import (
    DEFAULTS,
    MOST_PER_SECOND,
    CallRates,
    Rate,
    RateLimits,
    SendRates,
    effective,
)

SMALL, HUGE = Rate(per_second=1, burst=2), Rate(per_second=900_000, burst=9_000_000)


def test_who_chose_nothing_has_the_defaults() -> None:
    assert effective(RateLimits(), 1.0) == DEFAULTS


def test_the_operator_multiplies_all_of_them() -> None:
    halved = effective(RateLimits(), 0.5)
    assert {key: rate.burst * 2 for key, rate in halved.items()} == {
        key: rate.burst for key, rate in DEFAULTS.items()
    }
    assert effective(RateLimits(), 1_000_000)["read", "app"].per_second == MOST_PER_SECOND


@pytest.mark.parametrize(
    ("chosen", "holds"), [(SMALL, SMALL), (HUGE, DEFAULTS["send", "app"])], ids=["lowered", "raised"]
)
def test_an_owner_lowers_the_whole_apps_limit_and_cannot_raise_it(chosen: Rate, holds: Rate) -> None:
    assert effective(RateLimits(send=SendRates(app=chosen)), 1.0)["send", "app"] == holds


@pytest.mark.parametrize("chosen", [SMALL, HUGE], ids=["lowered", "raised"])
def test_users_and_channels_get_what_the_owner_says(chosen: Rate) -> None:
    limits = effective(
        RateLimits(send=SendRates(user=chosen, channel=chosen), search=CallRates(user=chosen)), 1.0
    )
    assert {key for key, rate in limits.items() if rate == chosen} == {
        ("send", "user"),
        ("send", "channel"),
        ("search", "user"),
    }
