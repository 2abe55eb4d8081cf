"""Use cases of channels, one transaction each: lock the row, read what decides, write, log the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat_service.channels import member_store, rules, store
from chat_service.channels.access import find_visible, lock_for, refuse_unknown
from chat_service.channels.membership import joined_events
from chat_service.channels.views import ChannelPage, ChannelWithMembers
from chat_service.events.log import Cause, append, channel_event
from chat_service.paging import encode_cursor
from chat_service.users.store import known_users
from chatsdk_contracts.channels import (
    ChangedChannel,
    Channel,
    ChannelConfig,
    ChannelCreated,
    ChannelDeleted,
    ChannelType,
    ChannelUpdated,
    Member,
)
from chatsdk_contracts.ids import AppId, ChannelId, UserId, new_id
from chatsdk_contracts.wire import format_time
from chatsdk_runtime.errors import Conflict
from chatsdk_runtime.postgres import Connection, Transaction

_SHOWN_MEMBERS = 100
_DIRECT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What a channel is made from; `members` are the paths and ids of the request, the creator not among them."""

    type: ChannelType
    creator: UserId
    creator_path: str
    members: Sequence[UserId]
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """The channel, and whether this call made it."""

    channel: Channel
    created: bool


async def create_channel(tx: Transaction, cause: Cause, new: NewChannel) -> Made:
    """Make a channel with its members; the direct channel of two users is made once and then found.

    Raises:
        InvalidInput: naming every unknown member by its place in the request.
    """
    await _require_known(tx, cause.app_id, new)
    user_ids = list(dict.fromkeys([new.creator, *new.members]))
    dm_key = rules.direct_key(new.type, new.fields.get("name"), user_ids)
    channel = _new_channel(cause, new, len(user_ids))
    for _ in range(_DIRECT_ATTEMPTS):
        if await store.insert_channel(tx, cause.app_id, channel, dm_key):
            await _write_members(tx, cause, channel, user_ids)
            return Made(channel, created=True)
        assert dm_key is not None, "only a direct channel can be there already"
        existing = await store.fetch_direct(tx, cause.app_id, dm_key)
        if existing is not None:
            return Made(existing, created=False)
        # It was deleted between the two statements.
    raise Conflict("The direct channel of these two is being deleted over and over.", hint="Try again.")


def _new_channel(cause: Cause, new: NewChannel, member_count: int) -> Channel:
    config = rules.merged_config(ChannelConfig(), new.fields.get("config"))
    return Channel(
        id=ChannelId(new_id()),
        type=new.type,
        name=new.fields.get("name"),
        description=new.fields.get("description"),
        image=new.fields.get("image"),
        custom=new.fields.get("custom") or {},
        config=config,
        created_by=new.creator,
        member_count=member_count,
        # One version for the channel's making and one for each member's coming.
        cv=1 + member_count,
        created_at=cause.now,
        updated_at=cause.now,
    )


async def _require_known(tx: Transaction, app_id: AppId, new: NewChannel) -> None:
    known = await known_users(tx, app_id, [new.creator, *new.members])
    places = [(new.creator_path, new.creator)]
    places += [(f"memberIds[{index}]", user_id) for index, user_id in enumerate(new.members)]
    refuse_unknown([(path, user_id) for path, user_id in places if user_id not in known])


async def _write_members(tx: Transaction, cause: Cause, channel: Channel, user_ids: Sequence[UserId]) -> None:
    members = [
        Member(
            channel_id=channel.id,
            user_id=user_id,
            role="owner" if user_id == channel.created_by else "member",
            joined_at=cause.now,
        )
        for user_id in user_ids
    ]
    await member_store.insert_members(tx, cause.app_id, members, first_cv=2)
    made = channel_event(ChannelCreated, cause, channel.id, 1, channel.model_copy(update={"cv": 1}))
    await append(tx, [made, *joined_events(cause, members, first_cv=2, reason="created")])


async def get_channel(
    connection: Connection, app_id: AppId, channel_id: ChannelId | None, user_id: UserId | None
) -> ChannelWithMembers:
    """A channel that the caller may see (`user_id` None: the app's server), with its first members."""
    channel = await find_visible(connection, app_id, channel_id, user_id)
    members = await member_store.list_members(connection, channel.id, after="", limit=_SHOWN_MEMBERS)
    return ChannelWithMembers(**dict(channel), members=list(members))


async def list_channels(
    connection: Connection,
    app_id: AppId,
    user_id: UserId | None,
    *,
    before: store.Position | None,
    limit: int,
) -> ChannelPage:
    """A user's channels, or all of the app's, newest activity first."""
    if user_id is None:
        found = await store.list_channels(connection, app_id, before=before, limit=limit + 1)
    else:
        found = await store.list_channels_of(connection, app_id, user_id, before=before, limit=limit + 1)
    page = list(found[:limit])
    more = len(found) > limit
    return ChannelPage(channels=page, next_cursor=_after(page[-1]) if more else None, has_more=more)


def _after(channel: Channel) -> str:
    return encode_cursor(format_time(channel.last_message_at or channel.created_at), channel.id)


async def update_channel(
    tx: Transaction,
    cause: Cause,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    given: Mapping[str, Any],
) -> Channel:
    """Change the channel's own fields; an event only when something is different then."""
    stored, actor = await lock_for(tx, cause.app_id, channel_id, user_id)
    rules.require_editor(actor, stored.channel)
    changed = rules.changed_fields(stored.channel, given)
    if not changed:
        return stored.channel
    channel = stored.channel.model_copy(
        update={**changed, "cv": stored.channel.cv + 1, "updated_at": cause.now}
    )
    await store.update_fields(tx, channel)
    data = ChangedChannel(**dict(channel), changed=sorted(changed))
    await append(tx, [channel_event(ChannelUpdated, cause, channel.id, channel.cv, data)])
    return channel


async def delete_channel(
    tx: Transaction, cause: Cause, channel_id: ChannelId | None, user_id: UserId | None
) -> Channel:
    """Delete the channel with all that is in it: from here on it is not found."""
    stored, actor = await lock_for(tx, cause.app_id, channel_id, user_id)
    rules.require_owner(actor, stored.channel)
    channel = stored.channel.model_copy(
        update={"cv": stored.channel.cv + 1, "updated_at": cause.now, "deleted_at": cause.now}
    )
    await store.mark_deleted(tx, channel)
    await append(tx, [channel_event(ChannelDeleted, cause, channel.id, channel.cv, channel)])
    return channel
