"""A cursor is opaque, somebody's own, and never misread."""

import base64
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.sync.cursor import Cursor, decode, encode
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.topology import LANES
from chatsdk_runtime.encryption import Keyring

KEYRING = Keyring.parse(f"k1:{base64.b64encode(bytes(32)).decode()}")
APP, ANN = AppId("app"), UserId("ann")
NUMBERS = st.integers(0, 2**63 - 1)


@given(
    NUMBERS,
    st.tuples(*[NUMBERS] * LANES),
    NUMBERS,
    NUMBERS,
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy's own form
)
def test_what_is_encoded_is_decoded(
    epoch: int, positions: tuple[int, ...], state: int, user: int, since: datetime
) -> None:
    cursor = Cursor(
        epoch, positions, state, user, since.replace(microsecond=since.microsecond // 1000 * 1000)
    )

    assert decode(encode(cursor, KEYRING, APP, ANN), KEYRING, APP, ANN) == cursor


CURSOR = Cursor(1, (1,) * LANES, 2, 3, datetime(2026, 1, 1, tzinfo=UTC))


def test_nobody_elses_cursor_is_taken() -> None:
    text = encode(CURSOR, KEYRING, APP, ANN)

    assert decode(text, KEYRING, APP, UserId("bob")) is None
    assert decode(text, KEYRING, AppId("other"), ANN) is None
    assert decode(text, Keyring.parse(f"k1:{base64.b64encode(os.urandom(32)).decode()}"), APP, ANN) is None


@pytest.mark.parametrize(
    "text", ["", ".", "k1", "k1.", "k1.AAAA", "k1.%%%", "k1.ä", "nokey.AAAA", "k1." + "A" * 300]
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert decode(text, KEYRING, APP, ANN) is None
