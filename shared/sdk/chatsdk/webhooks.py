"""Verification of webhook requests, for receivers: the last step of an event's walk.

The counterpart of the dispatcher's signing; both stand on `chatsdk_contracts.signatures`.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from chatsdk.errors import (
    InvalidSecretError,
    InvalidSignatureError,
    InvalidWebhookBodyError,
    MissingHeaderError,
    TimestampError,
)
from chatsdk_contracts.catalogue import UnknownEventType, parse_event
from chatsdk_contracts.envelope import Event, EventHead, UndecodableEvent
from chatsdk_contracts.signatures import (
    CHATSDK_SIGNATURE,
    WEBHOOK_ID,
    WEBHOOK_SIGNATURE,
    WEBHOOK_TIMESTAMP,
    parse_secret,
    verify_chatsdk,
    verify_standard,
)

DEFAULT_TOLERANCE_S: Final = 300
_MAX_TIMESTAMP_DIGITS: Final = 12


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance_s: float = DEFAULT_TOLERANCE_S,
    now_s: float | None = None,
) -> Event | EventHead:
    """The event in a webhook request, or one of the errors in `chatsdk.errors` and no other.

    `body` is the request's raw bytes; header names match in any case. With `webhook-signature` present that one must
    hold, and the signed time must lie within `tolerance_s` of `now_s` (default: the clock). With only
    `X-ChatSDK-Signature` present the age is unknown: drop event ids that you have seen. A type or schema version that
    this release does not know comes back as an `EventHead`.
    """
    if not isinstance(body, bytes):
        raise InvalidWebhookBodyError("pass the request's raw body as bytes, not what a parser made of it")
    secrets = _checked_secrets(secret)
    known = {name.lower(): value for name, value in headers.items()}
    signature = known.get(WEBHOOK_SIGNATURE)
    if signature is not None:
        _verify_standard(known, signature, secrets, body)
        _verify_age(known[WEBHOOK_TIMESTAMP], tolerance_s, time.time() if now_s is None else now_s)
    else:
        _verify_chatsdk(known, secrets, body)
    try:
        return parse_event(body)
    except UnknownEventType as unknown:
        return unknown.head
    except UndecodableEvent as error:
        raise InvalidWebhookBodyError(
            f"the signature is right but the body is no event: {error.reason}"
        ) from None


def _checked_secrets(secret: str | Sequence[str]) -> Sequence[str]:
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets:
        raise InvalidSecretError("no secret given")
    try:
        for each in secrets:
            parse_secret(each)
    except ValueError as error:
        raise InvalidSecretError(str(error)) from None
    return secrets


def _verify_standard(headers: Mapping[str, str], signature: str, secrets: Sequence[str], body: bytes) -> None:
    for name in (WEBHOOK_ID, WEBHOOK_TIMESTAMP):
        if name not in headers:
            raise MissingHeaderError(f"{WEBHOOK_SIGNATURE} came without {name}")
    timestamp_s = _seconds(headers[WEBHOOK_TIMESTAMP])
    if not verify_standard(secrets, signature, headers[WEBHOOK_ID], timestamp_s, body):
        raise InvalidSignatureError(
            f"no entry of {WEBHOOK_SIGNATURE} was made with this secret for this body"
        )


def _verify_age(timestamp: str, tolerance_s: float, now_s: float) -> None:
    distance_s = abs(now_s - _seconds(timestamp))
    if distance_s > tolerance_s:
        raise TimestampError(f"signed {distance_s:.0f} s away from now, more than {tolerance_s:.0f} s")


def _verify_chatsdk(headers: Mapping[str, str], secrets: Sequence[str], body: bytes) -> None:
    signature = headers.get(CHATSDK_SIGNATURE.lower())
    if signature is None:
        raise MissingHeaderError(f"neither {WEBHOOK_SIGNATURE} nor {CHATSDK_SIGNATURE} is present")
    if not verify_chatsdk(secrets, signature, body):
        raise InvalidSignatureError(f"{CHATSDK_SIGNATURE} was not made with this secret for this body")


def _seconds(timestamp: str) -> int:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        raise TimestampError(f"{WEBHOOK_TIMESTAMP} is not a number of seconds")
    return int(timestamp)
