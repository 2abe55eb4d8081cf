"""Use cases of users, one transaction each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chat_service.apps.store import fetch_settings
from chat_service.auth.principal import Principal
from chat_service.errors import UserNotFound
from chat_service.events.log import Cause, LoggedEvent, append, user_event
from chat_service.moderation.admission import require_free
from chat_service.paging import Page, encode_cursor
from chat_service.users import directory_store, rules, store
from chat_service.users.directory_store import Place, Search
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.users import ChangedUser, User, UserCreated, UserDeleted, UserUpdated
from chatsdk_contracts.wire import WireModel
from chatsdk_runtime.postgres import Connection, Transaction


class FoundUsers(Page):
    """A page of users as other users see them."""

    users: list[User]


class UserPage(Page):
    """A page of users as the app's servers see them."""

    users: list[rules.OwnUser]


async def ensure_users(
    tx: Transaction, cause: Cause, wanted: Mapping[UserId, Mapping[str, Any]]
) -> rules.EnsuredUsers:
    """Make users, or change what is given and different; an event only when others can see a difference."""
    new = [rules.new_user(user_id, given, cause.now) for user_id, given in wanted.items()]
    created = await store.insert_users(tx, cause.app_id, new)
    there = wanted.keys() - created
    stored = await store.lock_users(tx, cause.app_id, there) if there else []
    rules.require_not_erased(stored)
    changes = [rules.change_user(user, wanted[user.id], cause.now) for user in stored]
    written = [change.user for change in changes if change.is_change]
    if written:
        await store.update_users(tx, cause.app_id, written)
    events = [
        user_event(UserCreated, cause, user.id, user.version, rules.as_others_see(user))
        for user in new
        if user.id in created
    ]
    events += [_updated(cause, change.user, change.changed) for change in changes if change.changed]
    if events:
        await append(tx, events)
    now_there = {user.id: user for user in new if user.id in created}
    now_there |= {change.user.id: change.user for change in changes}
    return rules.EnsuredUsers(
        users=[_ensured(now_there[user_id], created=user_id in created) for user_id in wanted],
        created=len(created),
        updated=len(written),
        existing=len(wanted) - len(created) - len(written),
    )


async def ensure_user(
    tx: Transaction, cause: Cause, user_id: UserId, given: Mapping[str, Any]
) -> rules.EnsuredUser:
    """The same of one user."""
    return (await ensure_users(tx, cause, {user_id: given})).users[0]


async def change_user(
    tx: Transaction, cause: Cause, user_id: UserId | None, given: Mapping[str, Any]
) -> rules.OwnUser:
    """Change what is given and different.

    Raises:
        UserNotFound: the app has no such user.
        Banned: the user, who would change how others see them, is banned from the app.
    """
    stored = await _lock(tx, cause, user_id)
    await require_free(tx, cause.app_id, None, cause.actor_id)
    change = rules.change_user(stored, given, cause.now)
    if change.is_change:
        await store.update_users(tx, cause.app_id, [change.user])
    if change.changed:
        await append(tx, [_updated(cause, change.user, change.changed)])
    return rules.as_servers_see(change.user)


async def deactivate(tx: Transaction, cause: Cause, user_id: UserId | None) -> rules.OwnUser:
    """Let the user call no more; tokens of before stay revoked also after a reactivation. A repeat changes nothing.

    Raises:
        UserNotFound: the app has no such user.
    """
    user = await _lock(tx, cause, user_id)
    if user.deactivated_at is None:
        user = rules.deactivated(user, cause.now)
        await store.update_activity(tx, cause.app_id, user)
        data = rules.as_others_see(user)
        await append(tx, [user_event(UserDeleted, cause, user.id, user.version, data)])
    return rules.as_servers_see(user)


async def reactivate(tx: Transaction, cause: Cause, user_id: UserId | None) -> rules.OwnUser:
    """Let the user call again. A repeat changes nothing.

    Raises:
        UserNotFound: the app has no such user.
    """
    user = await _lock(tx, cause, user_id)
    if user.deactivated_at is not None:
        user = rules.reactivated(user, cause.now)
        await store.update_activity(tx, cause.app_id, user)
        await append(tx, [_updated(cause, user, ["deactivatedAt"])])
    return rules.as_servers_see(user)


async def get_user(
    connection: Connection, app_id: AppId, user_id: UserId | None, *, whole: bool
) -> WireModel:
    """One user, with the e-mail address when the caller may see it (`whole`)."""
    user = None if user_id is None else await store.fetch_user(connection, app_id, user_id)
    if user is None:
        raise UserNotFound
    return rules.as_servers_see(user) if whole else rules.as_others_see(user)


async def find_users(
    connection: Connection, caller: Principal, prefix: str, *, after: Place | None, limit: int
) -> WireModel:
    """Users whose id or name begins so: all for the app's servers, for a user those whom the app lets them find."""
    directory = (await fetch_settings(connection, caller.app_id)).user_directory
    found: Sequence[directory_store.Match] = []
    if caller.user_id is None or directory != "off":
        search = Search(caller.app_id, prefix, caller.user_id, directory)
        found = await directory_store.find_users(connection, search, after=after, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    last = page[-1].place if more else None
    cursor = None if last is None else encode_cursor(str(last.rank), last.key, last.user_id)
    if caller.user_id is None:
        seen = [rules.as_servers_see(match.user) for match in page]
        return UserPage(users=seen, next_cursor=cursor, has_more=more)
    shown = [rules.as_others_see(match.user) for match in page]
    return FoundUsers(users=shown, next_cursor=cursor, has_more=more)


async def _lock(tx: Transaction, cause: Cause, user_id: UserId | None) -> rules.StoredUser:
    found = [] if user_id is None else await store.lock_users(tx, cause.app_id, [user_id])
    if not found:
        raise UserNotFound(user_id)
    rules.require_not_erased(found)
    return found[0]


def _updated(cause: Cause, user: rules.StoredUser, changed: Sequence[str]) -> LoggedEvent:
    data = ChangedUser(**rules.public_fields(user), changed=list(changed))
    return user_event(UserUpdated, cause, user.id, user.version, data)


def _ensured(user: rules.StoredUser, *, created: bool) -> rules.EnsuredUser:
    return rules.EnsuredUser(**rules.public_fields(user), email=user.email, created=created)
