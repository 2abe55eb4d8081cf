"""Use cases of users, one transaction each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat_service.errors import UserNotFound
from chat_service.events.log import Cause, append, user_event
from chat_service.paging import Page, encode_cursor
from chat_service.users import rules, store
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.users import ChangedUser, UserCreated, UserUpdated
from chatsdk_contracts.wire import WireModel
from chatsdk_runtime.postgres import Connection, Transaction


class UserPage(Page):
    """A page of users as the app's servers see them."""

    users: list[rules.OwnUser]


async def ensure_user(
    tx: Transaction, cause: Cause, user_id: UserId, given: Mapping[str, Any]
) -> rules.EnsuredUser:
    """Make the user, or change what is given and different; an event only when others can see a difference."""
    user = rules.new_user(user_id, given, cause.now)
    created = await store.insert_user(tx, cause.app_id, user)
    if created:
        await append(tx, [user_event(UserCreated, cause, user_id, 1, rules.as_others_see(user))])
    else:
        user = await _change(tx, cause, user_id, given)
    return rules.EnsuredUser(**rules.public_fields(user), email=user.email, created=created)


async def _change(
    tx: Transaction, cause: Cause, user_id: UserId, given: Mapping[str, Any]
) -> rules.StoredUser:
    stored = await store.lock_user(tx, cause.app_id, user_id)
    if stored is None:
        raise UserNotFound(user_id)
    change = rules.change_user(stored, given, cause.now)
    if change.is_change:
        await store.update_user(tx, cause.app_id, change.user)
    if change.changed:
        data = ChangedUser(**rules.public_fields(change.user), changed=list(change.changed))
        await append(tx, [user_event(UserUpdated, cause, user_id, change.user.version, data)])
    return change.user


async def get_user(
    connection: Connection, app_id: AppId, user_id: UserId | None, *, whole: bool
) -> WireModel:
    """One user, with the e-mail address when the caller may see it (`whole`)."""
    user = None if user_id is None else await store.fetch_user(connection, app_id, user_id)
    if user is None:
        raise UserNotFound
    return rules.as_servers_see(user) if whole else rules.as_others_see(user)


async def list_users(connection: Connection, app_id: AppId, *, after: str, limit: int) -> UserPage:
    """The app's users by id."""
    found = await store.list_users(connection, app_id, after=after, limit=limit + 1)
    page = found[:limit]
    more = len(found) > limit
    return UserPage(
        users=[rules.as_servers_see(user) for user in page],
        next_cursor=encode_cursor(page[-1].id) if more else None,
        has_more=more,
    )
