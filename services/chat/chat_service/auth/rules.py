"""What a token says, how long one may last, and which are revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chatsdk_contracts.ids import AppId, UserId, uuid7_timestamp_ms
from chatsdk_contracts.scopes import USER_SCOPES, missing
from chatsdk_runtime.errors import ScopeMissing

SHORTEST_S: Final = 60
LONGEST_S: Final = 30 * 24 * 3600
DEFAULT_S: Final = 24 * 3600

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What a token is asked for: for whom, for how many seconds, with which scopes (None: all that the key may give)."""

    user_id: UserId
    expires_in_s: int
    scopes: frozenset[str] | None = None


def expiry(now: datetime, expires_in_s: int) -> datetime:
    """When a token minted now ends, in whole seconds, as `exp` has it."""
    return (now + timedelta(seconds=expires_in_s)).replace(microsecond=0)


def issue_time_ms(now: datetime, *revocations: datetime | None) -> int:
    """When a token minted now is issued: behind every revocation, also one of this millisecond."""
    return max([_milliseconds(now), *(_milliseconds(at) + 1 for at in revocations if at is not None)])


def scopes_to_carry(granted: frozenset[str], asked: frozenset[str] | None) -> frozenset[str]:
    """The scopes of a token that a key with the scopes `granted` mints; empty: all that a user may.

    Raises:
        ScopeMissing: the token would carry more than the key has, or nothing at all.
    """
    if asked is not None:
        if lacking := missing(granted, asked):
            raise ScopeMissing(*lacking)
        return asked
    carried = granted & USER_SCOPES
    if granted and not carried:
        raise ScopeMissing(*sorted(USER_SCOPES))
    return carried


def claims(
    app_id: AppId,
    user_id: UserId,
    token_id: str,
    *,
    now: datetime,
    ends: datetime,
    scopes: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The claims of a user's token; times are whole seconds since 1970. Its id holds the milliseconds of its issue."""
    said: dict[str, Any] = {
        "sub": user_id,
        "app": app_id,
        "iat": int(now.timestamp()),
        "exp": int(ends.timestamp()),
        "jti": token_id,
    }
    return {**said, "scopes": sorted(scopes)} if scopes else said


def is_revoked(token_id: str, valid_after: datetime | None) -> bool:
    """Whether a token was issued until the time of a revocation.

    Its UUIDv7 decides, not `iat`: a revocation and the next token are often within one second. ValueError if it is
    none.
    """
    issued_ms = uuid7_timestamp_ms(token_id)
    return valid_after is not None and issued_ms <= _milliseconds(valid_after)


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND
