"""Credentials to principals: each is looked up once and then known for five seconds.

A token's signature is verified when it is first seen; after that its hash stands for it until it expires.
The app's secret is read again every five seconds, so that a deleted app or user is noticed in that time.
"""

from __future__ import annotations

import binascii
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

import jwt

from chat_service.auth import store
from chat_service.auth.principal import Principal
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import Pool, reading

FRESH_S = 5.0
ALGORITHM = "HS256"
_REMEMBERED = 50_000
_LONGEST_TOKEN = 4_096
_LONGEST_KEY = 256


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

    async def verify_key(self, key: str, *, fresh: bool = False) -> Principal | None:
        """The server that this API key belongs to; None when it is unknown or revoked. `fresh`: ask the database."""
        if not key.startswith("chatsdk_") or len(key) > _LONGEST_KEY:
            return None
        digest = key_hash(key)
        known = self._known.get(digest)
        if known is not None and known.until > time.monotonic() and not fresh:
            return known.principal
        async with reading(self._pool) as connection:
            found = await store.fetch_key(connection, digest)
        principal = None
        if found is not None:
            principal = Principal("server", found.app_id, key_id=found.id, scopes=found.scopes)
        self._remember(digest, _Known(principal, time.monotonic() + FRESH_S, float("inf")))
        return principal

    async def verify_token(self, token: str, *, fresh: bool = False) -> Principal | None:
        """The user that this token names; None when it is forged, expired, or its app or user is gone."""
        if len(token) > _LONGEST_TOKEN:
            return None
        # Another name than a key's, so that a key sent as a token does not find the key's principal.
        digest = hashlib.sha256(b"token:" + token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        if known is not None and known.until > time.monotonic() and not fresh:
            return known.principal if known.expires_at > time.time() else None
        judged = await self._judge(token)
        self._remember(digest, judged)
        return judged.principal

    def forget(self) -> None:
        """A key or an app was removed here: look everything up again."""
        self._known.clear()

    async def _judge(self, token: str) -> _Known:
        until = time.monotonic() + FRESH_S
        nobody = _Known(None, until, float("inf"))
        app_id = _claimed_app(token)
        if app_id is None:
            return nobody
        async with reading(self._pool) as connection:
            sealed = await store.fetch_token_secret(connection, app_id)
            if sealed is None:
                return nobody
            secret = self._keyring.open(sealed, table="app", column="token_secret", row=app_id)
            try:
                claims = jwt.decode(
                    token, secret, algorithms=[ALGORITHM], options={"require": ["sub", "app", "exp"]}
                )
            except jwt.InvalidTokenError:
                return nobody
            user_id = UserId(claims["sub"])
            if not await store.user_exists(connection, app_id, user_id):
                return nobody
        return _Known(Principal("user", app_id, user_id=user_id), until, float(claims["exp"]))

    def _remember(self, digest: bytes, known: _Known) -> None:
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
