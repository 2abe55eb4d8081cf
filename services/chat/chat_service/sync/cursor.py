"""The cursor of a client: how far it has seen each lane of the log, as opaque text that only we can make.

Sealed for one user, so that nobody goes on where somebody else stopped. Whoever changes its form changes FORM:
a cursor of another form is answered as one that is too old, never misread.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.topology import LANES
from chatsdk_contracts.wire import from_epoch_ms, to_epoch_ms
from chatsdk_runtime.encryption import DecryptionError, Keyring, Sealed

FORM: Final = 1
_PACKED = struct.Struct(f">BQ{LANES}QQQq")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in everything that a user may see.

    `positions`: per lane, everything up to here was shown. `state_version` and `user_version`: the same for what
    only the user sees, and for the user. `since`: no event behind the positions is older than this.
    """

    epoch: int
    positions: tuple[int, ...]
    state_version: int
    user_version: int
    since: datetime


def encode(cursor: Cursor, keyring: Keyring, app_id: AppId, user_id: UserId) -> str:
    """The cursor as text for this user."""
    packed = _PACKED.pack(
        FORM,
        cursor.epoch,
        *cursor.positions,
        cursor.state_version,
        cursor.user_version,
        to_epoch_ms(cursor.since),
    )
    sealed = keyring.seal(packed, table="sync", column="cursor", row=f"{app_id}/{user_id}")
    return f"{sealed.key_id}.{base64.urlsafe_b64encode(sealed.ciphertext).rstrip(b'=').decode()}"


def decode(text: str, keyring: Keyring, app_id: AppId, user_id: UserId) -> Cursor | None:
    """The cursor that `encode` was given for this user; None when it is none of ours (any more)."""
    key_id, _, body = text.partition(".")
    try:
        ciphertext = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        packed = keyring.open(
            Sealed(key_id, ciphertext), table="sync", column="cursor", row=f"{app_id}/{user_id}"
        )
        form, epoch, *numbers, since_ms = _PACKED.unpack(packed)
    except (binascii.Error, ValueError, DecryptionError, struct.error):
        return None
    if form != FORM:
        return None
    return Cursor(
        epoch,
        tuple(numbers[:LANES]),
        numbers[LANES],
        numbers[LANES + 1],
        from_epoch_ms(since_ms),
    )
