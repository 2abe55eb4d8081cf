"""What an attempt's result means for its delivery: delivered, again later, parked, refused for good, or gone.

Pure: `deliver.py` hands in what `sender.py` brought back, and records the decision in the same commit as the
attempt. What it means for the endpoint (counter, states) is decided by `endpoint_rules.py`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, assert_never

from chatsdk_runtime.outgoing.exchange import FailureKind, Reply, SendFailure, SendResult
from webhook_dispatcher.dispatch.ladder import Chance, Ladder

MAX_RETRY_AFTER_S = 3600.0  # a receiver may ask for an hour of silence, not for more

ResultClass = Literal["2xx", "3xx", "4xx", "5xx", "other"] | FailureKind

# 4xx that speak of the moment, not of the request: timeout, conflict (typically the same webhook-id still being
# worked on), misdirected (another connection may do), locked, too early, too many.
_TRANSIENT_4XX = frozenset({408, 409, 421, 423, 425, 429})
_GONE = 410
_TOO_MANY_REQUESTS = 429

_SECONDS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A 2xx with its whole reply, or the first 16 KiB of it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again `delay_s` after the end of this attempt.

    `endpoint_block_s` above 0: the receiver asked for silence, so nothing is to be sent to it for so long.
    """

    delay_s: float
    why: str
    endpoint_block_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The ladder ended for a passing reason: parked, and drained when the endpoint answers again."""

    why: str
    endpoint_block_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RefusedForGood:
    """The receiver says that this request will never do (a permanent 4xx): final, status `failed`."""

    why: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver says that there is no such endpoint any more: the webhook's state becomes `gone`."""

    why: str


Outcome = Delivered | RetryAt | Exhausted | RefusedForGood | Gone


def judge(result: SendResult, *, attempt: int, ladder: Ladder, now: datetime, chance: Chance) -> Outcome:
    """Decide on attempt number `attempt` (from 1) of a delivery, finished at `now` (aware).

    Only 2xx is success. A redirect is not followed and counts as passing, because parking loses nothing while
    giving up does; so do refused addresses (DNS changes) and everything below HTTP. Permanent are only 4xx that
    do not speak of the moment.
    """
    if isinstance(result, SendFailure):
        return _again(attempt, ladder, chance, result.message, 0.0)
    if 200 <= result.status < 300:
        return Delivered()
    why = describe(result)
    if result.status == _GONE:
        return Gone(why)
    if 400 <= result.status < 500 and result.status not in _TRANSIENT_4XX:
        return RefusedForGood(why)
    return _again(attempt, ladder, chance, why, _asked_silence_s(result, now))


def describe(result: SendResult) -> str:
    """One sentence for the webhook's owner: the `errorMessage` of a delivery or of a test."""
    if isinstance(result, SendFailure):
        return result.message
    if 300 <= result.status < 400:
        return f"The receiver answered {result.status}; redirects are not followed."
    return f"The receiver answered {result.status}."


def classify(result: SendResult) -> ResultClass:
    """The closed set that metrics and attempt records use."""
    match result:
        case SendFailure():
            return result.kind
        case Reply():
            return _STATUS_CLASSES.get(result.status // 100, "other")
        case _:
            assert_never(result)


_STATUS_CLASSES: dict[int, Literal["2xx", "3xx", "4xx", "5xx"]] = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}


def retry_after_s(value: str, now: datetime) -> float | None:
    """A `Retry-After` value (RFC 9110 10.2.3) in seconds from now, within 0 to one hour; None if it is neither form."""
    text = value.strip()
    if _SECONDS.fullmatch(text):
        # More digits than an hour has: no need to count, and int() refuses thousands of them.
        return MAX_RETRY_AFTER_S if len(text.lstrip("0")) > 4 else min(float(text), MAX_RETRY_AFTER_S)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if when.tzinfo is None:  # "-0000": UTC without a statement about the place
        when = when.replace(tzinfo=UTC)
    return min(max((when - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def _again(attempt: int, ladder: Ladder, chance: Chance, why: str, block_s: float) -> RetryAt | Exhausted:
    wait_s = ladder.wait_s(attempt, chance)
    if wait_s is None:
        return Exhausted(why, block_s)
    return RetryAt(max(wait_s, block_s), why, block_s)


def _asked_silence_s(reply: Reply, now: datetime) -> float:
    if reply.status != _TOO_MANY_REQUESTS and not 500 <= reply.status < 600:
        return 0.0
    for name, value in reply.headers:
        if name.lower() == "retry-after":
            return retry_after_s(value, now) or 0.0
    return 0.0
