"""Control events as those who hear them read them."""

import pytest

from chatsdk_contracts.control import KeyRevoked, TokenRevoked, parse_control
from chatsdk_contracts.envelope import UndecodableEvent, encode
from chatsdk_contracts.ids import EventId, new_id

HEAD = {
    "id": EventId(new_id()),
    "subject": "apps/a",
    "time": "2026-01-01T00:00:00Z",
    "appid": "a",
    "epoch": 1,
}


def test_what_was_encoded_is_read_again() -> None:
    key = KeyRevoked.model_validate({**HEAD, "data": {"keyId": "k", "revokedAt": "2026-01-01T00:00:00Z"}})
    tokens = TokenRevoked.model_validate({**HEAD, "data": {"revokedAt": "2026-01-01T00:00:00Z"}})
    assert parse_control(encode(key)) == key
    assert parse_control(encode(tokens)) == tokens


def test_a_type_of_a_later_release_is_passed_over() -> None:
    key = KeyRevoked.model_validate({**HEAD, "data": {"keyId": "k", "revokedAt": "2026-01-01T00:00:00Z"}})
    assert parse_control(encode(key).replace(b'"key.revoked"', b'"key.rotated"')) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff"])
def test_what_is_no_event_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UndecodableEvent):
        parse_control(body)


def test_a_known_type_with_other_data_is_undecodable() -> None:
    key = KeyRevoked.model_validate({**HEAD, "data": {"keyId": "k", "revokedAt": "2026-01-01T00:00:00Z"}})
    with pytest.raises(UndecodableEvent, match="keyId"):
        parse_control(encode(key).replace(b'"keyId"', b'"other"'))
