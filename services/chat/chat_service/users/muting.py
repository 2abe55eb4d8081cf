"""Use cases of mutes, one transaction each: whom a user wants no notifications of, and still sees."""

from __future__ import annotations

from datetime import datetime

from chat_service.errors import UserNotFound
from chat_service.paging import Page, encode_cursor
from chat_service.users import block_store, mute_store, rules, store
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.users import User
from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.postgres import Connection, Transaction


class UserMute(WireModel):
    """Whether a user is muted by the caller, and since when."""

    user_id: UserId
    muted_at: Timestamp | None


class MutedUser(User):
    """A user whom the caller muted."""

    muted_at: Timestamp


class MutedPage(Page):
    """A page of them."""

    muted_users: list[MutedUser]


async def mute(tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId, now: datetime) -> UserMute:
    """UserMute; who is muted already stays so since then.

    Raises:
        UserNotFound: there is no such other.
        InvalidInput: it is oneself.
    """
    if other_id == user_id:
        raise invalid_field("userId", "yourself", "nobody mutes themselves")
    version = await block_store.lock_state(tx, app_id, user_id)
    muted_at = await mute_store.fetch_muted_at(tx, app_id, user_id, other_id)
    if muted_at is None:
        if version is None or await store.fetch_user(tx, app_id, other_id) is None:
            raise UserNotFound(other_id)
        muted_at = now
        await mute_store.insert_mute(tx, app_id, user_id, other_id, state_version=version + 1, now=now)
    return UserMute(user_id=other_id, muted_at=muted_at)


async def unmute(tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId) -> UserMute:
    """Unmute; who is not muted stays so.

    Raises:
        UserNotFound: there is no such other.
    """
    if await store.fetch_user(tx, app_id, other_id) is None:
        raise UserNotFound(other_id)
    version = await block_store.lock_state(tx, app_id, user_id)
    muted_at = await mute_store.fetch_muted_at(tx, app_id, user_id, other_id)
    if version is not None and muted_at is not None:
        await mute_store.delete_mute(tx, app_id, user_id, other_id, state_version=version + 1)
    return UserMute(user_id=other_id, muted_at=None)


async def list_muted(
    connection: Connection, app_id: AppId, user_id: UserId, *, after: str, limit: int
) -> MutedPage:
    """Whom the user has muted, by id."""
    found = await mute_store.list_muted(connection, app_id, user_id, after=after, limit=limit + 1)
    page = [MutedUser(**rules.public_fields(one.user), muted_at=one.muted_at) for one in found[:limit]]
    more = len(found) > limit
    return MutedPage(
        muted_users=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more
    )
