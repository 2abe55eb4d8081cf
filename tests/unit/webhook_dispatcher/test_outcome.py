"""What a reply or its absence means for the delivery."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsdk_runtime.outgoing.exchange import FailureKind, Reply, SendFailure, SendResult
from webhook_dispatcher.dispatch.ladder import QUICK, STANDARD, Ladder
from webhook_dispatcher.dispatch.outcome import (
    Delivered,
    Exhausted,
    Gone,
    Outcome,
    RefusedForGood,
    RetryAt,
    classify,
    judge,
    retry_after_s,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
KINDS: tuple[FailureKind, ...] = get_args(FailureKind)


def reply(status: int, **headers: str) -> Reply:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status=status, headers=named, body_head=b"", truncated=False, duration_s=0.01)


def failure(kind: FailureKind) -> SendFailure:
    return SendFailure(kind=kind, message="It failed.", detail="10.0.0.1 refused", duration_s=0.01)


def decide(result: SendResult, attempt: int = 1, ladder: Ladder = QUICK) -> Outcome:
    return judge(result, attempt=attempt, ladder=ladder, now=NOW, chance=lambda: 0.0)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 226, 299])
def test_only_2xx_is_success(status: int) -> None:
    assert decide(reply(status)) == Delivered()
    assert decide(reply(status), attempt=4) == Delivered()


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 405, 406, 411, 413, 415, 422, 428, 431, 451, 499]
)
def test_a_permanent_4xx_ends_the_delivery_at_once(status: int) -> None:
    assert decide(reply(status)) == RefusedForGood(f"The receiver answered {status}.")


@pytest.mark.parametrize("status", [408, 409, 421, 423, 425, 429, 500, 501, 502, 503, 504, 511, 599])
def test_a_passing_refusal_is_tried_again_until_the_ladder_ends(status: int) -> None:
    why = f"The receiver answered {status}."

    outcomes = [decide(reply(status), attempt=attempt) for attempt in (1, 2, 3, 4)]
    assert outcomes == [RetryAt(1.0, why), RetryAt(2.0, why), RetryAt(4.0, why), Exhausted(why)]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_passing_failure_with_its_own_words(status: int) -> None:
    why = f"The receiver answered {status}; redirects are not followed."

    assert decide(reply(status)) == RetryAt(1.0, why)
    assert decide(reply(status), attempt=4) == Exhausted(why)


@pytest.mark.parametrize("status", [100, 101, 199, 600, 999])
def test_a_status_of_no_class_is_a_passing_failure(status: int) -> None:
    assert isinstance(decide(reply(status)), RetryAt)
    assert classify(reply(status)) == "other"


def test_410_is_gone() -> None:
    assert decide(reply(410)) == Gone("The receiver answered 410.")


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_happens_below_http_is_passing(kind: FailureKind) -> None:
    assert decide(failure(kind)) == RetryAt(1.0, "It failed.")
    assert decide(failure(kind), attempt=4) == Exhausted("It failed.")
    assert classify(failure(kind)) == kind


def test_the_owner_never_reads_the_operators_detail() -> None:
    outcome = decide(failure("connect"))

    assert isinstance(outcome, RetryAt)
    assert "10.0.0.1" not in outcome.why


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("120", 120.0, id="seconds"),
        pytest.param(" 7 ", 7.0, id="seconds with blanks"),
        pytest.param("0", 0.0, id="now"),
        pytest.param("000000000000005", 5.0, id="leading zeros"),
        pytest.param("3600", 3600.0, id="an hour"),
        pytest.param("3601", 3600.0, id="more than an hour"),
        pytest.param("9" * 5000, 3600.0, id="more digits than int() takes"),
        pytest.param("Mon, 23 Nov 2026 12:00:30 GMT", 30.0, id="date"),
        pytest.param("Monday, 23-Nov-26 12:01:00 GMT", 60.0, id="obsolete date of RFC 850"),
        pytest.param("Mon Nov 23 12:00:10 2026", 10.0, id="obsolete date of asctime"),
        pytest.param("Mon, 23 Nov 2026 14:00:30 +0200", 30.0, id="date with zone"),
        pytest.param("Mon, 23 Nov 2026 12:00:30 -0000", 30.0, id="date without a place"),
        pytest.param("Mon, 23 Nov 2026 11:00:00 GMT", 0.0, id="date in the past"),
        pytest.param("Mon, 23 Nov 2099 12:00:00 GMT", 3600.0, id="date in the far future"),
        pytest.param("-5", None, id="negative"),
        pytest.param("1.5", None, id="fraction"),
        pytest.param("soon", None, id="words"),
        pytest.param("", None, id="empty"),
        pytest.param("١٢", None, id="digits that are not ASCII"),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds


@given(st.text(max_size=80))
def test_any_retry_after_is_none_or_within_an_hour(value: str) -> None:
    seconds = retry_after_s(value, NOW)

    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_retry_after_silences_the_endpoint_and_delays_the_delivery(status: int) -> None:
    outcome = decide(reply(status, Retry_After="30"))

    assert outcome == RetryAt(30.0, f"The receiver answered {status}.", endpoint_block_s=30.0)


def test_retry_after_never_shortens_the_ladder() -> None:
    assert decide(reply(503, retry_after="1"), attempt=3) == RetryAt(
        4.0, "The receiver answered 503.", endpoint_block_s=1.0
    )


def test_retry_after_counts_on_the_last_attempt_too() -> None:
    assert decide(reply(503, retry_after="99999"), attempt=4) == Exhausted(
        "The receiver answered 503.", endpoint_block_s=3600.0
    )


@pytest.mark.parametrize("status", [200, 301, 404, 408, 409])
def test_retry_after_means_nothing_elsewhere(status: int) -> None:
    assert decide(reply(status, retry_after="30")) == decide(reply(status))


RESULTS = st.one_of(
    st.builds(
        Reply,
        status=st.integers(min_value=0, max_value=1000),
        headers=st.lists(st.tuples(st.sampled_from(["Retry-After", "x"]), st.text(max_size=30))).map(tuple),
        body_head=st.binary(max_size=10),
        truncated=st.booleans(),
        duration_s=st.floats(min_value=0, max_value=60),
    ),
    st.builds(failure, st.sampled_from(KINDS)),
)


@given(
    RESULTS,
    st.integers(min_value=1, max_value=60),
    st.sampled_from([QUICK, STANDARD]),
    st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_every_result_has_an_outcome_within_its_bounds(
    result: SendResult, attempt: int, ladder: Ladder, chance: float
) -> None:
    outcome = judge(result, attempt=attempt, ladder=ladder, now=NOW, chance=lambda: chance)

    assert classify(result)
    success = isinstance(result, Reply) and 200 <= result.status < 300
    assert isinstance(outcome, Delivered) == success
    match outcome:
        case RetryAt(delay_s, why, block_s):
            assert attempt < ladder.attempts
            assert 0 <= block_s <= 3600
            assert max(ladder.waits_s[attempt - 1] * ladder.least, block_s) <= delay_s
            assert delay_s <= max(ladder.waits_s[attempt - 1] * ladder.most, block_s)
            assert why
        case Exhausted(why, block_s):
            assert attempt >= ladder.attempts
            assert 0 <= block_s <= 3600
            assert why
        case RefusedForGood(why) | Gone(why):
            assert isinstance(result, Reply)
            assert 400 <= result.status < 500
            assert why
        case Delivered():
            pass
