"""The bounds of a day's partition are that day's first and last UUIDv7."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chatsdk_contracts.ids import day_floor, day_of, new_id
from chatsdk_runtime.partitions import day_bound, partition_name

DAYS = st.dates(date(2020, 1, 1), date(2120, 1, 1))


@given(DAYS, st.integers(0, 86_399_999))
def test_an_id_lies_within_the_bounds_of_its_day(day: date, of_day_ms: int) -> None:
    midnight_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    event_id = new_id(midnight_ms + of_day_ms)
    assert str(day_bound(day)) <= event_id < str(day_bound(day + timedelta(days=1)))
    assert day_of(event_id) == day


@given(DAYS)
def test_the_contracts_and_the_runtime_agree_on_the_bound(day: date) -> None:
    assert day_bound(day) == day_floor(day)


def test_a_partition_is_named_by_its_day() -> None:
    assert partition_name("event", date(2026, 11, 3)) == "event_y2026m11d03"
