"""The use case of private state: lock the user, read the state, write what is different, tell the user's devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chat_service.channels.access import find_visible
from chat_service.errors import NotAMember
from chat_service.events.log import Cause, append, user_event
from chat_service.memberstate import rules, store
from chat_service.memberstate.rules import PrivateState
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.users import ChangedUserState, UserState, UserStateUpdated
from chatsdk_runtime.postgres import Transaction


async def change_state(
    tx: Transaction,
    cause: Cause,
    channel_id: ChannelId | None,
    user_id: UserId,
    change: Callable[[PrivateState], PrivateState],
) -> UserState:
    """Change what a member keeps about a channel; an event only when something is different then.

    Raises:
        ChannelNotFound: there is none, or none that the user may know of.
        NotAMember: the channel is known to the user, who is not in it.
    """
    await store.lock_user(tx, cause.app_id, user_id)
    channel = await find_visible(tx, cause.app_id, channel_id, user_id)
    before = await store.lock_state(tx, channel.id, user_id)
    if before is None:
        raise NotAMember(channel.id, channel.type)
    after = change(before)
    changed = rules.changed_fields(before, after)
    if not changed:
        return rules.as_told(before, user_id)
    after = replace(after, updated_at=rules.written_at(before, cause.now))
    version = await store.write_state(tx, cause.app_id, user_id, after)
    told = rules.as_told(after, user_id)
    data = ChangedUserState(**dict(told), changed=changed)
    await append(tx, [user_event(UserStateUpdated, cause, user_id, version, data)])
    return told
