"""What a token says, and how long one may last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from chatsdk_contracts.ids import AppId, UserId

SHORTEST_S: Final = 60
LONGEST_S: Final = 30 * 24 * 3600
DEFAULT_S: Final = 24 * 3600


def expiry(now: datetime, expires_in_s: int) -> datetime:
    """When a token minted now ends, in whole seconds, as `exp` has it."""
    return (now + timedelta(seconds=expires_in_s)).replace(microsecond=0)


def claims(app_id: AppId, user_id: UserId, token_id: str, *, now: datetime, ends: datetime) -> dict[str, Any]:
    """The claims of a user's token; times are whole seconds since 1970."""
    return {
        "sub": user_id,
        "app": app_id,
        "iat": int(now.timestamp()),
        "exp": int(ends.timestamp()),
        "jti": token_id,
    }
