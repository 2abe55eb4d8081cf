"""Webhook signatures: pure functions shared by the dispatcher, which signs, and the SDK, which verifies.

Two header families, one secret. `webhook-signature` (Standard Webhooks) signs id, time and body with the key bytes
inside the secret; `X-ChatSDK-Signature` signs the body alone with the secret's text, so that
`openssl dgst -sha256 -hmac "$SECRET"` verifies it. `vectors/signatures.json` pins both for other languages.
"""

import base64
import binascii
import hmac
import secrets as entropy
from collections.abc import Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with, no secret
KEY_BYTES: Final = 32
MIN_KEY_BYTES: Final = 24
MAX_KEY_BYTES: Final = 64

WEBHOOK_ID: Final = "webhook-id"
WEBHOOK_TIMESTAMP: Final = "webhook-timestamp"
WEBHOOK_SIGNATURE: Final = "webhook-signature"
CHATSDK_SIGNATURE: Final = "X-ChatSDK-Signature"

_STANDARD_VERSION: Final = "v1,"
_CHATSDK_PREFIX: Final = "sha256="
_FIX: Final = "use whsec_ followed by the standard base64 of 24 to 64 random bytes"


def new_secret() -> str:
    """A fresh secret: `whsec_` and the base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(entropy.token_bytes(KEY_BYTES)).decode("ascii")


def parse_secret(secret: str) -> bytes:
    """The key bytes inside a secret. ValueError, naming the fix and not the secret, if it has another form."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"secret does not start with {SECRET_PREFIX}: {_FIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"secret is not base64 after {SECRET_PREFIX}: {_FIX}") from None
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"secret holds {len(key)} bytes: {_FIX}")
    return key


def sign_standard(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """Value of `webhook-signature`: one `v1,<base64>` per live secret, in the order given (newest first)."""
    content = _signed_content(message_id, timestamp_s, body)
    return " ".join(_standard_entry(secret, content) for secret in secrets)


def sign_chatsdk(secret: str, body: bytes) -> str:
    """Value of `X-ChatSDK-Signature`: `sha256=<hex>`, keyed by the whole secret as shown."""
    return _CHATSDK_PREFIX + hmac.digest(secret.encode(), body, "sha256").hex()


def verify_standard(
    secrets: Sequence[str], signature: str, message_id: str, timestamp_s: int, body: bytes
) -> bool:
    """Whether any entry of a `webhook-signature` header was made with any of the secrets; constant-time.

    Says nothing about the age of `timestamp_s`: the caller compares it with its clock.
    """
    content = _signed_content(message_id, timestamp_s, body)
    received = [_comparable(entry) for entry in signature.split(" ")]
    matched = False
    for secret in secrets:
        expected = _standard_entry(secret, content).encode()
        for entry in received:
            matched |= hmac.compare_digest(expected, entry)
    return matched


def verify_chatsdk(secrets: Sequence[str], signature: str, body: bytes) -> bool:
    """Whether an `X-ChatSDK-Signature` header was made with any of the secrets; constant-time."""
    received = _comparable(signature)
    matched = False
    for secret in secrets:
        matched |= hmac.compare_digest(sign_chatsdk(secret, body).encode(), received)
    return matched


def _signed_content(message_id: str, timestamp_s: int, body: bytes) -> bytes:
    return _comparable(f"{message_id}.{timestamp_s}.") + body


def _standard_entry(secret: str, content: bytes) -> str:
    digest = hmac.digest(parse_secret(secret), content, "sha256")
    return _STANDARD_VERSION + base64.b64encode(digest).decode("ascii")


def _comparable(header: str) -> bytes:
    # A header may hold anything, lone surrogates included, and compare_digest refuses text that is not ASCII.
    return header.encode("utf-8", "replace")
