"""Mint a user's token."""

from __future__ import annotations

from datetime import datetime

import jwt

from chat_service.auth import rules, store
from chat_service.auth.verifier import ALGORITHM
from chat_service.errors import UserNotFound
from chatsdk_contracts.ids import AppId, UserId, new_id
from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.errors import Unauthorized
from chatsdk_runtime.postgres import Connection


class MintedToken(WireModel):
    """A token, shown once."""

    token: str
    expires_at: Timestamp
    user_id: UserId


async def mint_token(
    connection: Connection,
    keyring: Keyring,
    app_id: AppId,
    user_id: UserId,
    *,
    expires_in_s: int,
    now: datetime,
) -> MintedToken:
    """A token for a user of the app, signed with the app's own secret.

    Raises:
        UserNotFound: the app does not have this user.
    """
    sealed = await store.fetch_token_secret(connection, app_id)
    if sealed is None:
        raise Unauthorized("The app of this API key is gone.")
    if not await store.user_exists(connection, app_id, user_id):
        raise UserNotFound(user_id)
    secret = keyring.open(sealed, table="app", column="token_secret", row=app_id)
    ends = rules.expiry(now, expires_in_s)
    token = jwt.encode(
        rules.claims(app_id, user_id, new_id(), now=now, ends=ends), secret, algorithm=ALGORITHM
    )
    return MintedToken(token=token, expires_at=ends, user_id=user_id)
