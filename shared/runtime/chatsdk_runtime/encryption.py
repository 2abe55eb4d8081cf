"""Secrets at rest: AES-256-GCM under a keyring with one writer and any number of readers; and signed addresses.

Every ciphertext is bound to the place where it is stored: (table, column, row) is the associated data, so
that a value copied into another row does not decrypt. Rotation: put a new key first, keep the old ones
until nothing names them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_KEY_BYTES = 32


class DecryptionError(Exception):
    """The key is not in the keyring, or the value is not what was stored at this place."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext (nonce first) and the id of the key that made it."""

    key_id: str
    ciphertext: bytes


class Keyring:
    """The process's keys, by id; the first one writes."""

    def __init__(self, keys: dict[str, bytes], writer: str) -> None:
        self._keys = dict(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._writer = writer

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read `id:base64,id:base64`.

        Raises:
            ValueError: naming the entry that is wrong.
        """
        keys: dict[str, bytes] = {}
        for position, entry in enumerate(filter(None, (part.strip() for part in text.split(",")))):
            key_id, _, encoded = entry.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                key = b""
            if not key_id or len(key) != _KEY_BYTES:
                message = f"entry {position + 1} must be `id:base64 of {_KEY_BYTES} bytes`"
                raise ValueError(message)
            if key_id in keys:
                message = f"entry {position + 1} has the id {key_id!r} of an earlier one"
                raise ValueError(message)
            keys[key_id] = key
        if not keys:
            message = "at least one key is needed (`id:base64 of 32 bytes`)"
            raise ValueError(message)
        return cls(keys, next(iter(keys)))

    def seal(self, plaintext: bytes, *, table: str, column: str, row: str) -> Sealed:
        """Encrypt for one place."""
        nonce = os.urandom(_NONCE_BYTES)
        place = _place(table, column, row)
        return Sealed(self._writer, nonce + self._ciphers[self._writer].encrypt(nonce, plaintext, place))

    def open(self, sealed: Sealed, *, table: str, column: str, row: str) -> bytes:
        """Decrypt what was stored at this place.

        Raises:
            DecryptionError: unknown key, or a value that belongs elsewhere or was changed.
        """
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            message = f"key {sealed.key_id!r} is not in CHATSDK_MASTER_KEYS"
            raise DecryptionError(message)
        nonce, body = sealed.ciphertext[:_NONCE_BYTES], sealed.ciphertext[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, body, _place(table, column, row))
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce and a tag
            message = f"the value at {table}.{column} does not belong to row {row}"
            raise DecryptionError(message) from None

    def sign(self, message: bytes, *, purpose: str) -> str:
        """HMAC-SHA256 in hex, under a key that is made for this purpose from the one that writes."""
        return _signature(self._keys[self._writer], message, purpose)

    def is_signed(self, message: bytes, signature: str, *, purpose: str) -> bool:
        """Whether `sign` made this for this message and purpose, with any key of the ring."""
        given = signature.encode("utf-8", "surrogatepass")
        expected = [_signature(key, message, purpose).encode() for key in self._keys.values()]
        return any(hmac.compare_digest(one, given) for one in expected)


def _signature(key: bytes, message: bytes, purpose: str) -> str:
    derived = HKDF(SHA256(), length=_KEY_BYTES, salt=None, info=f"chatsdk/{purpose}".encode()).derive(key)
    return hmac.digest(derived, message, "sha256").hex()


def _place(table: str, column: str, row: str) -> bytes:
    return f"{table}\x1f{column}\x1f{row}".encode()
