"""Mint and revoke users' tokens."""

from __future__ import annotations

from datetime import datetime, timedelta

import jwt

from chat_service.auth import rules, store
from chat_service.auth.principal import Principal
from chat_service.auth.revocation import Revocation
from chat_service.auth.rules import TokenWish
from chat_service.auth.verifier import ALGORITHM
from chat_service.errors import UserNotFound
from chatsdk_contracts.ids import UserId, new_id
from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.errors import Unauthorized
from chatsdk_runtime.postgres import Connection, Transaction


class MintedToken(WireModel):
    """A token, shown once."""

    token: str
    expires_at: Timestamp
    user_id: UserId


class RevokedNow(WireModel):
    """From when on which tokens are not valid any more."""

    revoked_at: Timestamp
    user_id: UserId | None = None
    jti: str | None = None


async def mint_token(
    connection: Connection, keyring: Keyring, caller: Principal, wish: TokenWish, now: datetime
) -> MintedToken:
    """A token for a user of the caller's app, signed with the app's own secret.

    Raises:
        ScopeMissing: the token would carry more than the caller's key has.
        UserNotFound: the app does not have this user.
    """
    scopes = rules.scopes_to_carry(caller.scopes, wish.scopes)
    signing = await store.fetch_signing(connection, caller.app_id)
    if signing is None:
        raise Unauthorized("The app of this API key is gone.")
    standing = await store.fetch_standing(connection, caller.app_id, wish.user_id, None)
    if standing is None or not standing.is_active:
        raise UserNotFound(wish.user_id)
    secret = keyring.open(signing.secret, table="app", column="token_secret", row=caller.app_id)
    token_id = new_id(rules.issue_time_ms(now, signing.valid_after, standing.valid_after))
    ends = rules.expiry(now, wish.expires_in_s)
    claims = rules.claims(caller.app_id, wish.user_id, token_id, now=now, ends=ends, scopes=scopes)
    token = jwt.encode(claims, secret, algorithm=ALGORITHM)
    return MintedToken(token=token, expires_at=ends, user_id=wish.user_id)


async def revoke_tokens(tx: Transaction, revocation: Revocation) -> RevokedNow:
    """Take back one token, those of a user, or those of the whole app. Doing it again changes nothing.

    Raises:
        UserNotFound: the app does not have this user.
    """
    if revocation.jti is not None:
        # How long it would have been valid is not known here; longer than any token is.
        until = revocation.at + timedelta(seconds=rules.LONGEST_S)
        await store.revoke_token(tx, revocation.app_id, revocation.jti, until=until)
    elif revocation.user_id is None:
        await store.revoke_tokens_of_app(tx, revocation.app_id, revocation.at)
    elif not await store.revoke_tokens_of_user(tx, revocation.app_id, revocation.user_id, revocation.at):
        raise UserNotFound(revocation.user_id)
    return RevokedNow(revoked_at=revocation.at, user_id=revocation.user_id, jti=revocation.jti)
