"""Use cases of bans, one transaction each.

A ban from a channel is written under the channel's lock, so that every send is before or behind it. One from the app
is read by every statement that begins behind its commit. Banned users may read, and leave; nothing else.
"""

from __future__ import annotations

from uuid import UUID

from chat_service.audit.actions import Target, note
from chat_service.channels.access import find_visible, lock_for
from chat_service.channels.member_store import fetch_role
from chat_service.channels.rules import Actor
from chat_service.errors import UserNotFound
from chat_service.events.log import Cause, append, user_event
from chat_service.moderation import ban_store, rules
from chat_service.moderation.admission import require_free
from chat_service.moderation.ban_store import Scope, Terms
from chat_service.moderation.errors import BanNotFound
from chat_service.moderation.views import BanPage
from chat_service.paging import encode_cursor
from chat_service.users.store import lock_users, next_version
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_contracts.moderation import Ban, UserBanned, UserUnbanned
from chatsdk_runtime.postgres import Connection, Transaction


async def ban(tx: Transaction, cause: Cause, scope: Scope, terms: Terms) -> Ban:
    """Ban a user; whoever is banned there already is so on these terms from now on.

    Raises:
        ChannelNotFound, RoleTooLow: it is not the caller's channel to moderate, or not their member to ban.
        UserNotFound: the app has no such user.
    """
    await _require_above(tx, cause, scope)
    version = await next_version(tx, scope.app_id, scope.user_id)
    if version is None:
        raise UserNotFound(scope.user_id)
    made = await ban_store.put_ban(tx, scope, terms, cause.actor_id)
    await append(tx, [user_event(UserBanned, cause, scope.user_id, version, made)])
    details = {"shadow": made.shadow, "durationS": terms.duration_s}
    await note(tx, cause, "user.banned", _target(scope), details)
    return made


async def unban(tx: Transaction, cause: Cause, scope: Scope) -> Ban:
    """Lift a ban.

    Raises:
        BanNotFound: there is none that holds.
        ChannelNotFound, RoleTooLow: as for bans.
    """
    await _require_above(tx, cause, scope)
    await lock_users(tx, scope.app_id, [scope.user_id])
    lifted = await ban_store.delete_ban(tx, scope)
    if lifted is None:
        raise BanNotFound
    return await _tell_end(tx, cause, scope, lifted)


async def end_over(tx: Transaction, cause: Cause, scope: Scope) -> bool:
    """Tell of a ban whose time is over; False when somebody was quicker."""
    # The user first, as those do who ban: nobody waits in a circle.
    await lock_users(tx, scope.app_id, [scope.user_id])
    over = await ban_store.delete_over(tx, scope)
    if over is None:
        return False
    await _tell_end(tx, cause, scope, over)
    return True


async def list_bans(
    connection: Connection,
    app_id: AppId,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    *,
    before: UUID | None,
    limit: int,
) -> BanPage:
    """The bans that hold in an app, or in one of its channels, the newest first; of one user if given."""
    found = await ban_store.list_bans(connection, app_id, channel_id, user_id, before=before, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    return BanPage(
        bans=[one.ban for one in page],
        next_cursor=encode_cursor(str(page[-1].id)) if more else None,
        has_more=more,
    )


async def require_moderator(
    connection: Connection, app_id: AppId, channel_id: ChannelId | None, user_id: UserId
) -> ChannelId:
    """The channel, if the user moderates it.

    Raises:
        ChannelNotFound, NotAMember, RoleTooLow: the user does not.
    """
    channel = await find_visible(connection, app_id, channel_id, user_id)
    role = await fetch_role(connection, channel.id, user_id)
    rules.require_moderator(Actor(user_id, role), channel)
    return channel.id


async def _require_above(tx: Transaction, cause: Cause, scope: Scope) -> None:
    """Lock the channel, and see that the caller stands above the user there; the app's servers stand above all."""
    if scope.channel_id is None:
        return
    stored, actor = await lock_for(tx, scope.app_id, scope.channel_id, cause.actor_id)
    rules.require_moderator(actor, stored.channel)
    target = Actor(scope.user_id, await fetch_role(tx, stored.channel.id, scope.user_id))
    rules.require_above(actor, target)
    await require_free(tx, scope.app_id, stored.channel.id, cause.actor_id)


async def _tell_end(tx: Transaction, cause: Cause, scope: Scope, lifted: Ban) -> Ban:
    lifted = lifted.model_copy(update={"lifted_at": cause.now})
    version = await next_version(tx, scope.app_id, scope.user_id)
    if version is not None:
        await append(tx, [user_event(UserUnbanned, cause, scope.user_id, version, lifted)])
    await note(tx, cause, "user.unbanned", _target(scope))
    return lifted


def _target(scope: Scope) -> Target:
    return Target("user", scope.user_id, scope.channel_id)
