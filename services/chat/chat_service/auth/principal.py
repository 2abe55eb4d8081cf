"""Who calls, as every door and use case sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chatsdk_contracts.ids import ApiKeyId, AppId, UserId


@dataclass(frozen=True, slots=True)
class Principal:
    """An app's server (by key) or one of the app's users (by token)."""

    kind: Literal["server", "user"]
    app_id: AppId
    user_id: UserId | None = None
    key_id: ApiKeyId | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def scope(self) -> str:
        """Whose idempotency keys these are: an app's servers share theirs, each user has their own."""
        return f"{self.app_id}/server" if self.user_id is None else f"{self.app_id}/user/{self.user_id}"
