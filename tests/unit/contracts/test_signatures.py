"""Signatures: whatever is signed verifies, nothing else does, and no header makes the check raise."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsdk_contracts.signatures import (
    new_secret,
    parse_secret,
    sign_chatsdk,
    sign_standard,
    verify_chatsdk,
    verify_standard,
)

SECRETS = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())
# Everything that a header may become on its way through a server, lone surrogates included.
HEADERS = st.text(alphabet=st.characters(codec=None), max_size=200)


def test_a_new_secret_holds_32_random_bytes() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(parse_secret(secret)) for secret in made} == {32}


@given(st.lists(SECRETS, min_size=1, max_size=3), st.text(max_size=40), st.integers(0, 2**40), st.binary())
def test_what_was_signed_verifies_with_any_live_secret(
    secrets: list[str], message_id: str, timestamp_s: int, body: bytes
) -> None:
    header = sign_standard(secrets, message_id, timestamp_s, body)
    assert len(header.split(" ")) == len(secrets)
    for secret in secrets:
        assert verify_standard([secret], header, message_id, timestamp_s, body)
        assert verify_chatsdk(["whsec_other", secret], sign_chatsdk(secret, body), body)


@given(SECRETS, st.binary(min_size=1), st.integers(min_value=0))
def test_a_changed_bit_of_the_body_does_not_verify(secret: str, body: bytes, where: int) -> None:
    position = where % (len(body) * 8)
    changed = bytearray(body)
    changed[position // 8] ^= 1 << position % 8
    assert not verify_standard([secret], sign_standard([secret], "id", 1, body), "id", 1, bytes(changed))
    assert not verify_chatsdk([secret], sign_chatsdk(secret, body), bytes(changed))


@given(SECRETS, SECRETS, st.binary())
def test_another_secret_does_not_verify(secret: str, other: str, body: bytes) -> None:
    if secret != other:
        assert not verify_standard([other], sign_standard([secret], "id", 1, body), "id", 1, body)
        assert not verify_chatsdk([other], sign_chatsdk(secret, body), body)


@given(HEADERS, HEADERS, st.binary())
def test_no_header_makes_the_check_raise(header: str, message_id: str, body: bytes) -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    assert not verify_standard([secret], header, message_id, 1, body)
    assert not verify_chatsdk([secret], header, body)


def test_no_secret_verifies_nothing() -> None:
    assert not verify_standard([], sign_standard([], "id", 1, b""), "id", 1, b"")
    assert not verify_chatsdk([], "sha256=", b"")


@given(HEADERS)
def test_a_refused_secret_is_not_in_the_reason_but_the_fix_is(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"use whsec_ followed by the standard base64 of 24 to 64"
    ) as refused:
        parse_secret("whsek_" + text)
    assert "whsek_" not in str(refused.value)
