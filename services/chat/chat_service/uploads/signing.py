"""Signed addresses: who has one may do one thing with one file, until it expires."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import urlencode

from chat_service.uploads.errors import LinkInvalid
from chatsdk_contracts.ids import UploadId
from chatsdk_runtime.encryption import Keyring

Act = Literal["read", "write"]

_PURPOSE: Final = "upload-links"
_LONGEST_EXPIRY: Final = 12


def signed_query(keyring: Keyring, act: Act, upload_id: UploadId, expires_at: datetime) -> str:
    """What stands behind the `?`; the expiry counts in whole seconds."""
    expires = str(int(expires_at.timestamp()))
    signature = keyring.sign(_message(act, upload_id, expires), purpose=_PURPOSE)
    return urlencode({"expires": expires, "signature": signature})


def require_signed(
    keyring: Keyring,
    act: Act,
    upload_id: UploadId,
    *,
    expires: str | None,
    signature: str | None,
    now: datetime,
) -> None:
    """Raises LinkInvalid unless we signed this address, and it has not expired."""
    if expires is None or signature is None or len(expires) > _LONGEST_EXPIRY or not expires.isdecimal():
        raise LinkInvalid
    if not keyring.is_signed(_message(act, upload_id, expires), signature, purpose=_PURPOSE):
        raise LinkInvalid
    if datetime.fromtimestamp(int(expires), UTC) <= now:
        raise LinkInvalid


def _message(act: Act, upload_id: UploadId, expires: str) -> bytes:
    return f"{act}\x1f{upload_id}\x1f{expires}".encode()
