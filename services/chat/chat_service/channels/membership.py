"""Use cases of members, one transaction each. The channel's row is locked before anything that decides is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chat_service.channels import member_store, rules, store
from chat_service.channels.access import find_visible, lock_for, refuse_outsiders, refuse_unknown
from chat_service.channels.views import Added, MemberPage
from chat_service.errors import MemberNotFound
from chat_service.events.log import Cause, LoggedEvent, append, channel_event
from chat_service.moderation.admission import require_free
from chat_service.paging import encode_cursor
from chat_service.users.store import known_users
from chatsdk_contracts.channels import (
    ChangedMember,
    Channel,
    ChannelRole,
    Joined,
    JoinReason,
    LeaveReason,
    Left,
    Member,
    MemberUpdated,
    UserJoined,
    UserLeft,
)
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Connection, Transaction


async def add_members(
    tx: Transaction,
    cause: Cause,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    adding: Mapping[str, UserId],
    role: ChannelRole,
) -> Added:
    """Add users, given by their paths in the request; who is in the channel already stays as is."""
    stored, actor = await lock_for(tx, cause.app_id, channel_id, user_id)
    channel = stored.channel
    rules.require_adding(actor, channel, role, is_direct=stored.is_direct)
    await require_free(tx, cause.app_id, channel.id, user_id)
    user_ids = list(dict.fromkeys(adding.values()))
    known = await known_users(tx, cause.app_id, user_ids)
    refuse_unknown([(path, one) for path, one in adding.items() if one not in known])
    present = {
        member.user_id: member for member in await member_store.fetch_members(tx, channel.id, user_ids)
    }
    new = [_member(channel, one, role, cause) for one in user_ids if one not in present]
    coming = {member.user_id for member in new}
    await refuse_outsiders(
        tx, cause.app_id, channel.workspace_id, [(path, one) for path, one in adding.items() if one in coming]
    )
    if new:
        await _bring_in(tx, cause, channel, new, "added")
    now_in = {**present, **{member.user_id: member for member in new}}
    return Added(members=[now_in[one] for one in user_ids], added_count=len(new))


async def join(
    tx: Transaction, cause: Cause, channel_id: ChannelId | None, user_id: UserId
) -> tuple[Member, bool]:
    """Come into an open channel; True when the user was not in it before."""
    stored, _ = await lock_for(tx, cause.app_id, channel_id, user_id)
    present = await member_store.fetch_member(tx, stored.channel.id, user_id)
    if present is not None:
        return present, False
    rules.require_joining(stored.channel)
    await require_free(tx, cause.app_id, stored.channel.id, user_id)
    member = _member(stored.channel, user_id, "member", cause)
    await _bring_in(tx, cause, stored.channel, [member], "joined")
    return member, True


async def change_role(
    tx: Transaction,
    cause: Cause,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    target_id: UserId,
    role: ChannelRole,
) -> Member:
    """Give a member another role; an event only when it is another."""
    stored, actor = await lock_for(tx, cause.app_id, channel_id, user_id)
    channel = stored.channel
    rules.require_changing(actor, channel, is_direct=stored.is_direct)
    await require_free(tx, cause.app_id, channel.id, user_id)
    member = await _require_target(tx, channel, target_id)
    target = rules.Actor(target_id, rules.role_of(member))
    rules.require_new_role(actor, target, role, other_owners=await _other_owners(tx, member))
    if member.role == role:
        return member
    await member_store.update_role(tx, channel.id, target_id, role)
    cv = channel.cv + 1
    await store.update_members(tx, channel.id, cv=cv, member_count=channel.member_count)
    changed = member.model_copy(update={"role": role})
    data = ChangedMember(**dict(changed), changed=["role"])
    await append(tx, [channel_event(MemberUpdated, cause, channel.id, cv, data)])
    return changed


async def remove(
    tx: Transaction, cause: Cause, channel_id: ChannelId | None, user_id: UserId | None, target_id: UserId
) -> Left:
    """Put a member out; oneself, it is leaving."""
    stored, actor = await lock_for(tx, cause.app_id, channel_id, user_id)
    channel = stored.channel
    rules.require_changing(actor, channel, is_direct=stored.is_direct)
    member = await _require_target(tx, channel, target_id)
    role = rules.role_of(member)
    if user_id == target_id:
        others = channel.member_count - 1
        rules.require_leaving(role, other_owners=await _other_owners(tx, member), others=others)
        return await take_out(tx, cause, channel, member, "left")
    rules.require_removal(actor, rules.Actor(target_id, role))
    await require_free(tx, cause.app_id, channel.id, user_id)
    return await take_out(tx, cause, channel, member, "removed")


async def list_members(
    connection: Connection,
    app_id: AppId,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    *,
    after: str,
    limit: int,
) -> MemberPage:
    """The channel's members by user id."""
    channel = await find_visible(connection, app_id, channel_id, user_id)
    found = await member_store.list_members(connection, channel.id, after=after, limit=limit + 1)
    page = list(found[:limit])
    more = len(found) > limit
    return MemberPage(
        members=page, next_cursor=encode_cursor(page[-1].user_id) if more else None, has_more=more
    )


def joined_events(
    cause: Cause, members: Sequence[Member], *, first_cv: int, reason: JoinReason
) -> list[LoggedEvent]:
    """One event for each member, in their order, numbered from `first_cv`."""
    return [
        channel_event(
            UserJoined,
            cause,
            member.channel_id,
            first_cv + place,
            Joined(
                channel_id=member.channel_id,
                user_id=member.user_id,
                role=member.role,
                actor_id=cause.actor_id,
                reason=reason,
            ),
            copy_to=member.user_id,
        )
        for place, member in enumerate(members)
    ]


async def _bring_in(
    tx: Transaction, cause: Cause, channel: Channel, members: Sequence[Member], reason: JoinReason
) -> None:
    first_cv = channel.cv + 1
    await member_store.insert_members(tx, cause.app_id, members, first_cv=first_cv)
    await store.update_members(
        tx, channel.id, cv=channel.cv + len(members), member_count=channel.member_count + len(members)
    )
    await append(tx, joined_events(cause, members, first_cv=first_cv, reason=reason))


async def take_out(
    tx: Transaction, cause: Cause, channel: Channel, member: Member, reason: LeaveReason
) -> Left:
    """Take a member out of a locked channel, with its event."""
    left = Left(
        channel_id=channel.id,
        user_id=member.user_id,
        role=member.role,
        actor_id=cause.actor_id,
        reason=reason,
    )
    cv = channel.cv + 1
    await member_store.delete_member(tx, cause.app_id, left, cv=cv, now=cause.now)
    await store.update_members(tx, channel.id, cv=cv, member_count=channel.member_count - 1)
    await append(tx, [channel_event(UserLeft, cause, channel.id, cv, left, copy_to=member.user_id)])
    return left


async def _require_target(tx: Transaction, channel: Channel, user_id: UserId) -> Member:
    member = await member_store.fetch_member(tx, channel.id, user_id)
    if member is None:
        raise MemberNotFound(user_id)
    return member


async def _other_owners(tx: Transaction, member: Member) -> int:
    owners = await member_store.count_owners(tx, member.channel_id)
    return owners - 1 if member.role == "owner" else owners


def _member(channel: Channel, user_id: UserId, role: ChannelRole, cause: Cause) -> Member:
    return Member(channel_id=channel.id, user_id=user_id, role=role, joined_at=cause.now)
