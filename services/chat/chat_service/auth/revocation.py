"""What a revocation takes back, and how the other processes hear of it: at once by the broker, else within seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chat_service.auth.principal import Principal
from chat_service.resources import Resources
from chatsdk_contracts.control import ControlEvent, KeyRevoked, RevokedKey, RevokedTokens, TokenRevoked
from chatsdk_contracts.ids import ApiKeyId, AppId, UserId


@dataclass(frozen=True, slots=True)
class Revocation:
    """A key, a token by its `jti`, all tokens of a user, or (all three None) all tokens of an app, issued until `at`."""

    app_id: AppId
    at: datetime
    key_id: ApiKeyId | None = None
    user_id: UserId | None = None
    jti: str | None = None

    def concerns(self, principal: Principal) -> bool:
        """Whether this caller may be one that was let in before; a new look at the database decides."""
        if principal.app_id != self.app_id:
            return False
        if self.key_id is not None:
            return principal.key_id == self.key_id
        if principal.user_id is None:
            return False
        if self.jti is not None:
            return principal.token_id == self.jti
        return self.user_id is None or principal.user_id == self.user_id

    @property
    def told(self) -> RevokedKey | RevokedTokens:
        """The data of the control event."""
        if self.key_id is not None:
            return RevokedKey(key_id=self.key_id, revoked_at=self.at)
        return RevokedTokens(user_id=self.user_id, jti=self.jti, revoked_at=self.at)


def spread(resources: Resources, revocation: Revocation) -> None:
    """It is committed: stop believing in it here, and tell the other processes."""
    resources.tokens.revoked(revocation)
    event_class = TokenRevoked if revocation.key_id is None else KeyRevoked
    resources.control.tell(event_class, revocation.app_id, revocation.told, revocation.at)


def heard(event: ControlEvent) -> Revocation | None:
    """The revocation that another process tells of; None when the event is about something else."""
    match event:
        case KeyRevoked(data=key):
            return Revocation(event.appid, key.revoked_at, key_id=key.key_id)
        case TokenRevoked(data=tokens):
            return Revocation(event.appid, tokens.revoked_at, user_id=tokens.user_id, jti=tokens.jti)
        case _:
            return None
