"""Credentials to principals: each is looked up once and then known for five seconds.

A token's hash stands for it until it expires; app, user and revocations are read again every five seconds, so
that whatever takes a right away works in that time even if nobody tells. `revoked` makes it work at once.
"""

from __future__ import annotations

import binascii
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt

from chat_service.auth import rules, store
from chat_service.auth.principal import Principal
from chat_service.auth.revocation import Revocation
from chatsdk_contracts.ids import ApiKeyId, AppId, UserId
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import Pool, reading

FRESH_S = 5.0
ALGORITHM = "HS256"
_REMEMBERED = 50_000
_LONGEST_TOKEN = 4_096
_LONGEST_KEY = 256
_CLAIMS = ["sub", "app", "exp", "jti"]


@dataclass(frozen=True, slots=True)
class _Known:
    """A credential's principal (None: not valid) and until when that may be believed, on the monotonic clock."""

    principal: Principal | None
    until: float
    expires_at: float


class TokenVerifier:
    """Judges API keys and user tokens. Safe for concurrent use in one event loop."""

    def __init__(self, pool: Pool, keyring: Keyring) -> None:
        self._pool = pool
        self._keyring = keyring
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        # A look-up that began before a revocation must not be remembered after it.
        self._revocations = 0
        self._listeners: list[Callable[[Revocation], None]] = []
        self._key_uses: dict[ApiKeyId, datetime] = {}

    async def verify_key(self, key: str, *, fresh: bool = False) -> Principal | None:
        """The server that this API key belongs to; None when it is unknown or revoked. `fresh`: ask the database."""
        if not key.startswith("chatsdk_") or len(key) > _LONGEST_KEY:
            return None
        digest = key_hash(key)
        known = self._known.get(digest)
        if known is None or known.until <= time.monotonic() or fresh:
            began = self._revocations
            async with reading(self._pool) as connection:
                found = await store.fetch_key(connection, digest)
            principal = None
            if found is not None:
                principal = Principal("server", found.app_id, key_id=found.id, scopes=found.scopes)
            known = _Known(principal, time.monotonic() + FRESH_S, float("inf"))
            self._remember(digest, known, began)
        if known.principal is not None and known.principal.key_id is not None:
            self._key_uses[known.principal.key_id] = datetime.now(UTC)
        return known.principal

    async def verify_token(self, token: str, *, fresh: bool = False) -> Principal | None:
        """The user that this token names; None when it is forged, expired, revoked, or its app or user is gone."""
        if len(token) > _LONGEST_TOKEN:
            return None
        # Another name than a key's, so that a key sent as a token does not find the key's principal.
        digest = hashlib.sha256(b"token:" + token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and known.until > time.monotonic() and not fresh:
            return known.principal if known.expires_at > time.time() else None
        began = self._revocations
        judged = await self._judge(token)
        self._remember(digest, judged, began)
        return judged.principal

    def revoked(self, revocation: Revocation) -> None:
        """Something was taken back: look up anew whom it concerns, and tell the listeners."""
        self._revocations += 1
        gone = [
            digest
            for digest, known in self._known.items()
            if known.principal is not None and revocation.concerns(known.principal)
        ]
        for digest in gone:
            del self._known[digest]
        for listener in self._listeners:
            listener(revocation)

    def on_revoked(self, listener: Callable[[Revocation], None]) -> None:
        """Call `listener` for each revocation, here or elsewhere; one that was made here comes twice."""
        self._listeners.append(listener)

    def forget(self) -> None:
        """Revocations may have been missed: look everything up again."""
        self._revocations += 1
        self._known.clear()

    def take_key_uses(self) -> Mapping[ApiKeyId, datetime]:
        """Which keys were used since this was last asked, and when last."""
        taken, self._key_uses = self._key_uses, {}
        return taken

    async def _judge(self, token: str) -> _Known:
        until = time.monotonic() + FRESH_S
        nobody = _Known(None, until, float("inf"))
        app_id = _claimed_app(token)
        if app_id is None:
            return nobody
        async with reading(self._pool) as connection:
            signing = await store.fetch_signing(connection, app_id)
            said = None if signing is None else self._verified(token, app_id, signing)
            if said is None:
                return nobody
            user_id, token_id = UserId(said["sub"]), said["jti"]
            standing = await store.fetch_standing(connection, app_id, user_id, token_id)
        if standing is None or not standing.is_active or standing.is_revoked:
            return nobody
        if rules.is_revoked(token_id, standing.valid_after):
            return nobody
        scopes = frozenset(said.get("scopes", ()))
        principal = Principal("user", app_id, user_id=user_id, token_id=token_id, scopes=scopes)
        return _Known(principal, until, float(said["exp"]))

    def _verified(self, token: str, app_id: AppId, signing: store.Signing) -> dict[str, Any] | None:
        """The claims, if the app's secret signed them, they have not expired, and not all of the app's are revoked."""
        secret = self._keyring.open(signing.secret, table="app", column="token_secret", row=app_id)
        try:
            # Whether `iat` has come yet is not asked: the clocks of two replicas need not agree.
            said: dict[str, Any] = jwt.decode(
                token, secret, algorithms=[ALGORITHM], options={"require": _CLAIMS, "verify_iat": False}
            )
            said["jti"] = str(UUID(said["jti"]))
            revoked = rules.is_revoked(said["jti"], signing.valid_after)
        except (jwt.InvalidTokenError, ValueError):
            return None
        return None if revoked else said

    def _remember(self, digest: bytes, known: _Known, began: int) -> None:
        if began != self._revocations:
            return
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def key_hash(key: str) -> bytes:
    """What is stored of an API key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _claimed_app(token: str) -> AppId | None:
    """The app that a token claims, before its signature is looked at: it names the secret to verify with."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
        return AppId(str(UUID(claims["app"])))
    except (jwt.InvalidTokenError, binascii.Error, KeyError, ValueError, TypeError, AttributeError):
        return None
