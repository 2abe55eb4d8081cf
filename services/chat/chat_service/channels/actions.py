"""Use cases of channels, one transaction each: lock the row, read what decides, write, log the event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chat_service.audit.actions import Target, note
from chat_service.channels import list_store, member_store, rules, store
from chat_service.channels.access import find_visible, lock_for, refuse_outsiders, refuse_unknown
from chat_service.channels.membership import joined_events
from chat_service.channels.views import ChannelWithMembers
from chat_service.errors import ChannelNotFound
from chat_service.events.log import Cause, append, channel_event
from chat_service.holds.check import refuse_held_channel
from chat_service.messages.views import newest_seen
from chat_service.moderation.admission import require_free
from chat_service.users.store import known_users
from chat_service.workspaces.store import count_channels, lock_workspace
from chat_service.workspaces.store import fetch_role as fetch_workspace_role
from chatsdk_contracts.channels import (
    ChangedChannel,
    Channel,
    ChannelCreated,
    ChannelDeleted,
    ChannelTruncated,
    ChannelType,
    ChannelUpdated,
    Member,
    TruncatedChannel,
)
from chatsdk_contracts.ids import AppId, ChannelId, UserId, WorkspaceId, new_id
from chatsdk_runtime.errors import Conflict, invalid_field
from chatsdk_runtime.postgres import Connection, Transaction

_SHOWN_MEMBERS = 100
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class NewChannel:
    """What a channel is made from; `members` are those of the request, the creator perhaps not among them.

    `external_id`: what the app's servers call it; there is one such channel.
    """

    type: ChannelType
    creator: UserId
    creator_path: str
    members: Sequence[UserId]
    fields: Mapping[str, Any]
    external_id: str | None = None
    workspace_id: WorkspaceId | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """The channel, and whether this call made it."""

    channel: Channel
    created: bool


async def create_channel(tx: Transaction, cause: Cause, new: NewChannel) -> Made:
    """Make a channel with its members; the only one of two users, or of an external id, is made once and then found.

    Raises:
        InvalidInput: naming every unknown member by its place in the request.
        Banned: its creator is banned from the app.
    """
    await _require_known(tx, cause.app_id, new)
    await require_free(tx, cause.app_id, None, new.creator)
    await _enter_workspace(tx, cause.app_id, new)
    user_ids = list(dict.fromkeys([new.creator, *new.members]))
    only = store.OnlyOne(external_id=new.external_id)
    if new.workspace_id is None and new.external_id is None:
        only = store.OnlyOne(dm_key=rules.direct_key(new.type, new.fields.get("name"), user_ids))
    channel = _new_channel(cause, new, len(user_ids))
    for _ in range(_ATTEMPTS):
        if await store.insert_channel(tx, cause.app_id, channel, only):
            await _write_members(tx, cause, channel, user_ids)
            return Made(channel, created=True)
        assert only != store.OnlyOne(), "only the single one of its kind can be there already"
        existing = await store.fetch_only(tx, cause.app_id, only)
        if existing is not None:
            return Made(existing, created=False)
        # It was deleted between the two statements.
    raise Conflict("This channel is being deleted over and over.", hint="Try again.")


async def _enter_workspace(tx: Transaction, app_id: AppId, new: NewChannel) -> None:
    """Lock the channel's workspace, see that everybody is in it, and count the channel there."""
    if new.workspace_id is None:
        return
    workspace = await lock_workspace(tx, app_id, new.workspace_id)
    unknown = invalid_field("workspaceId", "unknown_workspace", "no such workspace of this creator")
    if workspace is None:
        raise unknown
    if await fetch_workspace_role(tx, workspace.id, new.creator) is None:
        # Who is not in a workspace does not learn that there is one.
        raise unknown
    places = [(f"memberIds[{index}]", user_id) for index, user_id in enumerate(new.members)]
    await refuse_outsiders(tx, app_id, workspace.id, places)
    await count_channels(tx, workspace.id, 1)


def _new_channel(cause: Cause, new: NewChannel, member_count: int) -> Channel:
    config = rules.merged_config(rules.default_config(new.type), new.fields.get("config"))
    return Channel(
        id=ChannelId(new_id()),
        type=new.type,
        name=new.fields.get("name"),
        description=new.fields.get("description"),
        image=new.fields.get("image"),
        custom=new.fields.get("custom") or {},
        config=config,
        created_by=new.creator,
        workspace_id=new.workspace_id,
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
    connection: Connection,
    app_id: AppId,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    *,
    now: datetime,
) -> ChannelWithMembers:
    """A channel that the caller may see (`user_id` None: the app's server), with its first members."""
    channel = await find_visible(connection, app_id, channel_id, user_id)
    view = await list_store.fetch_view(connection, app_id, channel.id, user_id, now=now)
    if view is None:
        raise ChannelNotFound
    members = await member_store.list_members(connection, channel.id, after="", limit=_SHOWN_MEMBERS)
    if user_id is None or view.role is not None:
        newest = await newest_seen(connection, app_id, user_id, {view.id: view.truncated_seq})
        view = view.model_copy(update={"last_message": newest.get(view.id)})
    return ChannelWithMembers(**dict(view), members=list(members))


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
    await require_free(tx, cause.app_id, stored.channel.id, user_id)
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
    await require_free(tx, cause.app_id, stored.channel.id, user_id)
    await refuse_held_channel(tx, cause.app_id, stored.channel.id)
    return await delete_locked(tx, cause, stored.channel)


async def delete_locked(tx: Transaction, cause: Cause, stored: Channel) -> Channel:
    """Delete a locked channel, with its event; its workspace has one fewer."""
    channel = stored.model_copy(
        update={"cv": stored.cv + 1, "updated_at": cause.now, "deleted_at": cause.now}
    )
    await store.mark_deleted(tx, channel)
    if channel.workspace_id is not None:
        await count_channels(tx, channel.workspace_id, -1)
    await append(tx, [channel_event(ChannelDeleted, cause, channel.id, channel.cv, channel)])
    return channel


async def truncate_channel(
    tx: Transaction,
    cause: Cause,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    *,
    up_to_seq: int | None,
    hard: bool,
) -> TruncatedChannel:
    """Hide the history up to and including a seq (None: all of it); `hard` has the sweep wipe its content.

    What is hidden already stays so; an event only when more is hidden than before.
    """
    stored, actor = await lock_for(tx, cause.app_id, channel_id, user_id)
    rules.require_editor(actor, stored.channel)
    await require_free(tx, cause.app_id, stored.channel.id, user_id)
    if hard:
        await refuse_held_channel(tx, cause.app_id, stored.channel.id)
    return await truncate_locked(tx, cause, stored, up_to_seq=up_to_seq, hard=hard)


async def truncate_locked(
    tx: Transaction, cause: Cause, stored: store.StoredChannel, *, up_to_seq: int | None, hard: bool
) -> TruncatedChannel:
    """The same to a locked channel, whoever it is that may."""
    channel, last_seq = stored.channel, stored.channel.last_seq
    wanted = last_seq if up_to_seq is None else min(up_to_seq, last_seq)
    truncated_seq = max(wanted, stored.truncated_seq)
    purge_seq = max(wanted, stored.purge_seq) if hard else stored.purge_seq
    is_more = truncated_seq > stored.truncated_seq
    if is_more:
        channel = channel.model_copy(
            update={
                "cv": channel.cv + 1,
                "message_count": last_seq - truncated_seq,
                "last_message_at": None if truncated_seq == last_seq else channel.last_message_at,
                "updated_at": cause.now,
            }
        )
    data = TruncatedChannel(**dict(channel), truncated_seq=truncated_seq, truncated_by=cause.actor_id)
    if is_more or purge_seq > stored.purge_seq:
        await store.update_truncated(tx, channel, truncated_seq=truncated_seq, purge_seq=purge_seq)
    if is_more:
        await append(tx, [channel_event(ChannelTruncated, cause, channel.id, channel.cv, data)])
    if is_more or purge_seq > stored.purge_seq:
        details = {"truncatedSeq": truncated_seq, "hard": hard}
        await note(tx, cause, "channel.truncated", Target("channel", channel.id, channel.id), details)
    return data
