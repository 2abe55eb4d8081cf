"""Use cases of presence: whatever happens to a user, the row is locked, read, decided upon and written.

Each returns how the user is shown from now on if that changed; it is told after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from chat_service.auth.principal import Principal
from chat_service.channels.access import find_visible
from chat_service.channels.member_store import fetch_role
from chat_service.errors import NotAMember
from chat_service.presence import rules, store, view_store
from chat_service.presence.rules import Choice, Facts, PresenceTimes
from chat_service.presence.store import UserKey
from chat_service.presence.telling import Shown
from chat_service.presence.view_store import Look
from chat_service.presence.views import ChannelPresence, OwnPresence, PresenceAnswer, SeenPresence
from chat_service.settings import ChatSettings
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_runtime.postgres import Connection, Transaction

Change = Callable[[Facts, datetime], Facts]


def times_of(settings: ChatSettings) -> PresenceTimes:
    """How long what counts here."""
    return PresenceTimes(
        renew_s=settings.presence_renew_s,
        dead_after_s=settings.presence_dead_after_s,
        grace=timedelta(seconds=settings.presence_grace_s),
        heartbeat=timedelta(seconds=settings.presence_heartbeat_s),
    )


async def settle(
    tx: Transaction, users: Sequence[UserKey], grace: timedelta, change: Change | None = None
) -> list[Shown]:
    """Bring locked users to how they have to be shown now, after a change if one is given."""
    if not users:
        return []
    found, now = await store.fetch_facts(tx, users)
    after = {
        key: rules.settled(facts if change is None else change(facts, now), now, grace)
        for key, facts in found.items()
    }
    await store.write_facts(tx, {key: facts for key, facts in after.items() if facts != found[key]})
    return [
        Shown(*key, facts.shown, facts.last_seen_at)
        for key, facts in after.items()
        if facts.shown != found[key].shown
    ]


async def choose(
    tx: Transaction, user: UserKey, choice: Choice, times: PresenceTimes
) -> tuple[OwnPresence, list[Shown]]:
    """Be shown as the user wants."""
    await store.lock_users(tx, [user])
    change = partial(_chosen, choice=choice, heartbeat=times.heartbeat)
    changed = await settle(tx, [user], times.grace, change)
    return await own(tx, user), changed


async def beat(tx: Transaction, user: UserKey, times: PresenceTimes) -> list[Shown]:
    """A client without a socket lives. Nothing is locked while most of its last heartbeat is left."""
    found, now = await store.fetch_facts(tx, [user])
    if user in found and rules.is_fresh(found[user], now, times.heartbeat):
        return []
    await store.lock_users(tx, [user])
    return await settle(tx, [user], times.grace, partial(_beaten, heartbeat=times.heartbeat))


async def own(connection: Connection, user: UserKey) -> OwnPresence:
    """What the user chose, and what others see."""
    found, _ = await store.fetch_facts(connection, [user])
    facts = found.get(user, Facts())
    return OwnPresence(
        user_id=user[1], chosen=facts.chosen, status=facts.shown, last_seen_at=facts.last_seen_at
    )


async def look(connection: Connection, caller: Principal, users: Sequence[UserId]) -> PresenceAnswer:
    """How these users are, as far as the caller may see them; of the others nothing is said."""
    if caller.user_id is None:
        seen = await view_store.seen_by_server(connection, caller.app_id, users)
    else:
        looks = [Look(caller.app_id, caller.user_id, one) for one in dict.fromkeys(users)]
        seen = {one.user_id: found for one, found in (await view_store.seen_by(connection, looks)).items()}
    return PresenceAnswer(
        presence={
            user_id: SeenPresence(**found.model_dump(), online=found.status != "offline")
            for user_id, found in seen.items()
        }
    )


async def look_at_channel(
    connection: Connection, caller: Principal, channel_id: ChannelId, *, limit: int
) -> ChannelPresence:
    """Which members are there.

    Raises:
        ChannelNotFound, NotAMember: the caller does not share the channel.
    """
    channel = await find_visible(connection, caller.app_id, channel_id, caller.user_id)
    if caller.user_id is not None and await fetch_role(connection, channel.id, caller.user_id) is None:
        raise NotAMember(channel.id, channel.type)
    present, total = await view_store.count_members(connection, channel.id)
    return ChannelPresence(
        online=await view_store.members(connection, channel.id, caller.user_id, is_there=True, limit=limit),
        offline=await view_store.members(connection, channel.id, caller.user_id, is_there=False, limit=limit),
        total_online=present,
        total_members=total,
    )


def _chosen(facts: Facts, now: datetime, *, choice: Choice, heartbeat: timedelta) -> Facts:
    return rules.chosen(facts, choice, now, heartbeat)


def _beaten(facts: Facts, now: datetime, *, heartbeat: timedelta) -> Facts:
    return rules.beaten(facts, now, heartbeat)
