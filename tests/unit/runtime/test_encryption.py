"""Secrets at rest: what was sealed for one place opens there and nowhere else."""

import base64

import pytest

from chatsdk_runtime.encryption import DecryptionError, Keyring, Sealed

OLD, NEW = (base64.b64encode(bytes(range(first, first + 32))).decode() for first in (0, 100))
PLACE = {"table": "webhook", "column": "secret", "row": "w1"}


def test_what_was_sealed_opens_at_its_place() -> None:
    keyring = Keyring.parse(f"k1:{OLD}")
    sealed = keyring.seal(b"whsec_x", **PLACE)
    assert sealed.key_id == "k1"
    assert b"whsec_x" not in sealed.ciphertext
    assert keyring.open(sealed, **PLACE) == b"whsec_x"


def test_the_same_text_is_never_sealed_the_same() -> None:
    keyring = Keyring.parse(f"k1:{OLD}")
    assert keyring.seal(b"x", **PLACE) != keyring.seal(b"x", **PLACE)


@pytest.mark.parametrize("part", ["table", "column", "row"])
def test_a_value_copied_to_another_place_does_not_open(part: str) -> None:
    keyring = Keyring.parse(f"k1:{OLD}")
    sealed = keyring.seal(b"x", **PLACE)
    with pytest.raises(DecryptionError):
        keyring.open(sealed, **{**PLACE, part: "elsewhere"})


def test_a_changed_value_does_not_open() -> None:
    keyring = Keyring.parse(f"k1:{OLD}")
    sealed = keyring.seal(b"x", **PLACE)
    for changed in (sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1]), sealed.ciphertext[:5], b""):
        with pytest.raises(DecryptionError):
            keyring.open(Sealed("k1", changed), **PLACE)


def test_after_a_rotation_the_new_key_writes_and_both_read() -> None:
    before = Keyring.parse(f"k1:{OLD}").seal(b"x", **PLACE)
    rotated = Keyring.parse(f"k2:{NEW}, k1:{OLD}")
    assert rotated.seal(b"y", **PLACE).key_id == "k2"
    assert rotated.open(before, **PLACE) == b"x"


def test_a_key_that_is_gone_is_named() -> None:
    sealed = Keyring.parse(f"k1:{OLD}").seal(b"x", **PLACE)
    with pytest.raises(DecryptionError, match="k1"):
        Keyring.parse(f"k2:{NEW}").open(sealed, **PLACE)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "at least one"),
        (" , ", "at least one"),
        ("k1", "entry 1"),
        (f":{OLD}", "entry 1"),
        (f"k1:{OLD},k2:c2hvcnQ=", "entry 2"),
        (f"k1:{OLD},k2:***", "entry 2"),
        (f"k1:{OLD},k1:{NEW}", "entry 2"),
    ],
)
def test_a_wrong_keyring_names_the_entry_and_shows_no_key(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named) as raised:
        Keyring.parse(text)
    assert OLD not in str(raised.value)


def test_a_signature_holds_for_its_message_and_purpose_under_every_key_of_the_ring() -> None:
    old, new = (
        f"{name}:{base64.b64encode(bytes([number]) * 32).decode()}" for name, number in (("o", 1), ("n", 2))
    )
    signature = Keyring.parse(old).sign(b"message", purpose="p")

    assert Keyring.parse(f"{new},{old}").is_signed(b"message", signature, purpose="p")
    assert not Keyring.parse(new).is_signed(b"message", signature, purpose="p")
    assert not Keyring.parse(old).is_signed(b"message", signature, purpose="q")
    assert not Keyring.parse(old).is_signed(b"other", signature, purpose="p")
    for forged in ("", "\ud800", signature.upper(), signature[:-1]):
        assert not Keyring.parse(old).is_signed(b"message", forged, purpose="p")
