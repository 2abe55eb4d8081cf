"""Steps of an erasure: the channels and workspaces that the user is in.

What was the user's alone goes with them. What others are in stays, with an owner: the user's place as the last one
goes to whoever has the highest role, then to whoever is in it the longest.
"""

from __future__ import annotations

from chat_service.channels import membership as channel_membership
from chat_service.channels import store as channels
from chat_service.channels.actions import delete_locked
from chat_service.channels.member_store import fetch_member
from chat_service.channels.store import StoredChannel
from chat_service.erasure import rules, trace_store
from chat_service.erasure.person import user_of
from chat_service.events.log import Cause
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import Job
from chat_service.workspaces import membership as workspace_membership
from chat_service.workspaces import store as workspaces
from chat_service.workspaces.actions import delete_workspace
from chatsdk_contracts.ids import UserId, WorkspaceId
from chatsdk_runtime.postgres import Transaction, reading, transaction


async def leave_channels(bench: Bench, job: Job) -> Job:
    """Take the user out of one channel."""
    user_id = user_of(job)
    async with reading(bench.pool) as connection:
        channel_id = await trace_store.next_membership(connection, job.app_id, user_id)
    if channel_id is None:
        return await bench.save_alone(job.at(rules.next_step("channels"), **job.cursor))
    async with transaction(bench.pool) as tx:
        stored = await channels.lock_channel(tx, job.app_id, channel_id)
        if stored is not None:
            await _leave_channel(tx, bench.cause(job), stored, user_id)
        await trace_store.delete_membership(tx, channel_id, user_id)
        return await bench.save(tx, job.counted(memberships=1))


async def _leave_channel(tx: Transaction, cause: Cause, stored: StoredChannel, user_id: UserId) -> None:
    channel = stored.channel
    if channel.member_count <= 1 and channel.created_by == user_id:
        nameless = channel.model_copy(update={"name": None, "description": None, "image": None, "custom": {}})
        await delete_locked(tx, cause, nameless)
        await trace_store.empty_channel(tx, channel.id)
        return
    member = await fetch_member(tx, channel.id, user_id)
    if member is None:
        return
    if member.role == "owner" and not stored.is_direct:
        heir = await trace_store.heir_of_channel(tx, channel.id, user_id)
        if heir is not None:
            await channel_membership.change_role(tx, cause, channel.id, None, heir, "owner")
            again = await channels.lock_channel(tx, cause.app_id, channel.id)
            assert again is not None, "it is locked"
            channel = again.channel
    await channel_membership.take_out(tx, cause, channel, member, "deactivated")


async def leave_workspaces(bench: Bench, job: Job) -> Job:
    """Take the user out of one workspace."""
    user_id = user_of(job)
    async with reading(bench.pool) as connection:
        workspace_id = await trace_store.next_workspace(connection, job.app_id, user_id)
    async with transaction(bench.pool) as tx:
        if workspace_id is None:
            emptied = await trace_store.empty_deleted_workspaces(tx, job.app_id, user_id)
            job = job.counted(workspaces=emptied).at(rules.next_step("workspaces"), **job.cursor)
            return await bench.save(tx, job)
        await _leave_workspace(tx, bench.cause(job), workspace_id, user_id)
        await trace_store.delete_workspace_membership(tx, workspace_id, user_id)
        return await bench.save(tx, job.counted(memberships=1))


async def _leave_workspace(tx: Transaction, cause: Cause, workspace_id: WorkspaceId, user_id: UserId) -> None:
    workspace = await workspaces.lock_workspace(tx, cause.app_id, workspace_id)
    if workspace is None:
        return
    if workspace.member_count <= 1 and workspace.created_by == user_id:
        await delete_workspace(tx, cause, workspace_id, None)
        return
    heir = await trace_store.heir_of_workspace(tx, workspace_id, user_id)
    if heir is not None:
        await workspace_membership.change_role(tx, cause, workspace_id, None, heir, "owner")
    if workspace.member_count > 1:
        await workspace_membership.remove(tx, cause, workspace_id, None, user_id)
