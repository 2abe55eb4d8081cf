"""Ids: UUIDv7, the day inside, derived delivery ids."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsdk_contracts.ids import (
    DAY_MS,
    EventId,
    WebhookId,
    day_floor,
    day_of,
    delivery_id,
    new_id,
    uuid7_timestamp_ms,
)

# Up to the last day that `date` knows; UUIDv7 itself would reach the year 10889.
TIMES_MS = st.integers(min_value=0, max_value=int(datetime(9999, 12, 30, tzinfo=UTC).timestamp() * 1000))


def test_a_new_id_is_a_canonical_uuid_of_version_7_with_the_present_time() -> None:
    before_ms = int(datetime.now(UTC).timestamp() * 1000)
    made = new_id()
    after_ms = int(datetime.now(UTC).timestamp() * 1000)
    assert (str(UUID(made)), UUID(made).version) == (made, 7)
    assert before_ms <= uuid7_timestamp_ms(made) <= after_ms


def test_later_ids_of_a_process_sort_after_earlier_ones() -> None:
    made = [new_id() for _ in range(5_000)]
    assert made == sorted(set(made))


@given(TIMES_MS)
def test_an_id_carries_the_time_it_was_given(now_ms: int) -> None:
    assert uuid7_timestamp_ms(new_id(now_ms)) == now_ms


@given(TIMES_MS)
def test_an_id_lies_between_the_bounds_of_its_day(now_ms: int) -> None:
    made = new_id(now_ms)
    day = day_of(made)
    assert day == (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now_ms)).date()
    assert day_floor(day) <= UUID(made) < day_floor(day + timedelta(days=1))


def test_a_day_begins_at_its_first_millisecond_and_ends_before_the_next() -> None:
    midnight_ms = 20_000 * DAY_MS
    assert day_of(new_id(midnight_ms - 1)) + timedelta(days=1) == day_of(new_id(midnight_ms))


def test_the_floor_of_a_day_is_its_midnight_followed_by_zeros() -> None:
    assert str(day_floor(date(2026, 11, 23))) == "01a205b3-d000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",  # version 4
        "0199f3a17c0070008000" + "0123456789ab",  # no hyphens
        "0199f3a1-7c00-7000-8000-0123456789abc",
        "0199f3g1-7c00-7000-8000-0123456789ab",
    ],
)
def test_what_is_no_uuid_of_version_7_has_no_time(value: str) -> None:
    with pytest.raises(ValueError):
        uuid7_timestamp_ms(value)


EVENT = EventId("0199f3a1-7c00-7000-8000-0123456789ab")
WEBHOOK = WebhookId("0199f3a1-0000-7000-8000-000000000001")


def test_a_delivery_id_is_pinned() -> None:
    """Stored rows were made with it: another derivation would plan each of them again.

    Its 74 random bits were taken from sha256sum, not from our code.
    """
    assert delivery_id(EVENT, WEBHOOK) == "0199f3a1-7c00-78cb-a5f9-99954b4107e9"


@given(TIMES_MS, TIMES_MS)
def test_a_delivery_id_is_a_uuid_of_version_7_on_the_day_of_its_event(event_ms: int, webhook_ms: int) -> None:
    event, webhook = EventId(new_id(event_ms)), WebhookId(new_id(webhook_ms))
    derived = delivery_id(event, webhook)
    assert uuid7_timestamp_ms(derived) == event_ms
    assert (UUID(derived).version, UUID(derived).variant) == (7, UUID(event).variant)
    assert derived == delivery_id(event, webhook)


def test_delivery_ids_of_other_pairs_differ() -> None:
    events = [EventId(new_id(1)) for _ in range(100)]
    webhooks = [WebhookId(new_id(1)) for _ in range(100)]
    assert len({delivery_id(event, webhook) for event in events for webhook in webhooks}) == 10_000
