"""A signed address opens one file for one act until it ends, under any key of the ring."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from chat_service.uploads.errors import LinkInvalid
from chat_service.uploads.signing import Act, require_signed, signed_query
from chatsdk_contracts.ids import UploadId
from chatsdk_runtime.encryption import Keyring

OLD = "old:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
NEW = "new:ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE, OTHER = (
    UploadId("0199f3a1-0000-7000-8000-000000000001"),
    UploadId("0199f3a1-0000-7000-8000-000000000002"),
)


def opens(keys: str, query: str, act: Act = "read", upload_id: UploadId = ONE, now: datetime = NOW) -> bool:
    given = {name: values[0] for name, values in parse_qs(query).items()}
    try:
        require_signed(
            Keyring.parse(keys),
            act,
            upload_id,
            expires=given.get("expires"),
            signature=given.get("signature"),
            now=now,
        )
    except LinkInvalid:
        return False
    return True


def test_an_address_opens_what_it_was_made_for_and_nothing_else() -> None:
    query = signed_query(Keyring.parse(OLD), "read", ONE, NOW + timedelta(minutes=1))

    assert opens(OLD, query)
    assert not opens(OLD, query, act="write")
    assert not opens(OLD, query, upload_id=OTHER)
    assert not opens(OLD, query, now=NOW + timedelta(minutes=1))
    assert not opens(NEW, query)


def test_an_address_outlives_the_rotation_of_the_key() -> None:
    query = signed_query(Keyring.parse(OLD), "read", ONE, NOW + timedelta(minutes=1))

    assert opens(f"{NEW},{OLD}", query)


@pytest.mark.parametrize(
    "query",
    ["", "expires=1", "signature=a", "expires=-1&signature=a", "expires=9999999999999&signature=a", "expires=²&signature=a", "expires=1767225660&signature=ü"],
)  # fmt: skip
def test_what_is_no_address_of_ours_opens_nothing(query: str) -> None:
    assert not opens(OLD, query)
