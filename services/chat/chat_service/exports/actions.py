"""Use cases of exports: ask for one, see how far it is, fetch it. The work itself is `writing.py`."""

from __future__ import annotations

from datetime import datetime

from chat_service.auth.principal import Principal
from chat_service.channels import access
from chat_service.channels.member_store import fetch_role
from chat_service.errors import RoleTooLow, UserNotFound
from chat_service.exports.errors import ExportExpired, ExportNotFound, ExportUnfinished
from chat_service.exports.views import ShownExport, as_shown
from chat_service.jobs import store as jobs
from chat_service.jobs.rules import Job
from chat_service.users.rules import require_not_erased
from chat_service.users.store import fetch_user
from chatsdk_contracts.ids import ChannelId, UserId, new_id
from chatsdk_runtime.postgres import Connection, Transaction


async def export_user(
    tx: Transaction, caller: Principal, user_id: UserId | None, now: datetime
) -> ShownExport:
    """Everything about a user: for the user, or for the app's servers. Asked twice while it is written, it is one.

    Raises:
        UserNotFound: the app has no such user.
        UserErased: there is nothing about the user any more.
    """
    user = None if user_id is None else await fetch_user(tx, caller.app_id, user_id)
    if user is None:
        raise UserNotFound(user_id)
    require_not_erased([user])
    return as_shown(await jobs.insert(tx, _job(caller, now, user_id=user.id)))


async def export_channel(
    tx: Transaction, caller: Principal, channel_id: ChannelId | None, now: datetime
) -> ShownExport:
    """Everything that members of a channel see: for its owners, and for the app's servers.

    Raises:
        ChannelNotFound: there is none, or none for this caller.
        RoleTooLow: the caller does not own it.
    """
    channel = await access.find_visible(tx, caller.app_id, channel_id, caller.user_id)
    if caller.user_id is not None and await fetch_role(tx, channel.id, caller.user_id) != "owner":
        raise RoleTooLow("Only an owner may export the channel.")
    return as_shown(await jobs.insert(tx, _job(caller, now, channel_id=channel.id)))


async def get_export(connection: Connection, caller: Principal, export_id: str | None) -> ShownExport:
    """How far an export is: for who asked for it, for the user whom it is about, and for the app's servers.

    Raises:
        ExportNotFound: none that the caller may have.
    """
    return as_shown(await _find(connection, caller, export_id))


async def find_file(connection: Connection, caller: Principal, export_id: str | None) -> tuple[str, int]:
    """Where an export's file is, and its size in bytes.

    Raises:
        ExportNotFound: none that the caller may have.
        ExportUnfinished: it is being written.
        ExportExpired: it is gone.
    """
    job = await _find(connection, caller, export_id)
    if job.state != "done" or job.file_size is None:
        raise ExportUnfinished
    if job.file_path is None:
        raise ExportExpired
    return job.file_path, job.file_size


async def _find(connection: Connection, caller: Principal, export_id: str | None) -> Job:
    job = None if export_id is None else await jobs.fetch(connection, caller.app_id, "export", export_id)
    if job is None:
        raise ExportNotFound
    if caller.user_id is not None and caller.user_id not in {job.requested_by, job.user_id}:
        raise ExportNotFound
    return job


def _job(
    caller: Principal, now: datetime, *, user_id: UserId | None = None, channel_id: ChannelId | None = None
) -> Job:
    return Job(
        id=new_id(),
        app_id=caller.app_id,
        kind="export",
        created_at=now,
        user_id=user_id,
        channel_id=channel_id,
        requested_by=caller.user_id,
    )
