"""Use cases of blocks, one transaction each: a user decides alone, and only the user's own row is locked."""

from __future__ import annotations

from datetime import datetime

from chat_service.errors import UserNotFound
from chat_service.paging import Page, encode_cursor
from chat_service.users import block_store, rules, store
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.users import User
from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.postgres import Connection, Transaction


class Block(WireModel):
    """Whether a user is blocked by the caller, and since when."""

    user_id: UserId
    blocked_at: Timestamp | None


class BlockedUser(User):
    """A user whom the caller blocked."""

    blocked_at: Timestamp


class BlockedPage(Page):
    """A page of them."""

    blocked_users: list[BlockedUser]


async def block(tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId, now: datetime) -> Block:
    """Block; who is blocked already stays so since then.

    Raises:
        UserNotFound: there is no such other.
        InvalidInput: it is oneself.
    """
    if other_id == user_id:
        raise invalid_field("userId", "yourself", "nobody blocks themselves")
    version = await block_store.lock_state(tx, app_id, user_id)
    blocked_at = await block_store.fetch_blocked_at(tx, app_id, user_id, other_id)
    if blocked_at is None:
        if version is None or await store.fetch_user(tx, app_id, other_id) is None:
            raise UserNotFound(other_id)
        blocked_at = now
        await block_store.insert_block(tx, app_id, user_id, other_id, state_version=version + 1, now=now)
    return Block(user_id=other_id, blocked_at=blocked_at)


async def unblock(tx: Transaction, app_id: AppId, user_id: UserId, other_id: UserId) -> Block:
    """Unblock; who is not blocked stays so.

    Raises:
        UserNotFound: there is no such other.
    """
    if await store.fetch_user(tx, app_id, other_id) is None:
        raise UserNotFound(other_id)
    version = await block_store.lock_state(tx, app_id, user_id)
    blocked_at = await block_store.fetch_blocked_at(tx, app_id, user_id, other_id)
    if version is not None and blocked_at is not None:
        await block_store.delete_block(tx, app_id, user_id, other_id, state_version=version + 1)
    return Block(user_id=other_id, blocked_at=None)


async def list_blocked(
    connection: Connection, app_id: AppId, user_id: UserId, *, after: str, limit: int
) -> BlockedPage:
    """Whom the user has blocked, by id."""
    found = await block_store.list_blocked(connection, app_id, user_id, after=after, limit=limit + 1)
    page = [BlockedUser(**rules.public_fields(one.user), blocked_at=one.blocked_at) for one in found[:limit]]
    more = len(found) > limit
    return BlockedPage(
        blocked_users=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more
    )
