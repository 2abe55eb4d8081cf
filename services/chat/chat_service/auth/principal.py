"""Who calls, as every door and use case sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chatsdk_contracts.ids import ApiKeyId, AppId, UserId


@dataclass(frozen=True, slots=True)
class Principal:
    """An app's server (by key) or one of the app's users (by token). Without `scopes` it may all that its kind may."""

    kind: Literal["server", "user"]
    app_id: AppId
    user_id: UserId | None = None
    key_id: ApiKeyId | None = None
    token_id: str | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def scope(self) -> str:
        """Whose idempotency keys these are: each user's own, those of an app's servers, those of a limited key.

        A limited key must not be answered with what another one was given: that may be a key or a token.
        """
        if self.user_id is not None:
            return f"{self.app_id}/user/{self.user_id}"
        return f"{self.app_id}/key/{self.key_id}" if self.scopes else f"{self.app_id}/server"
