"""Use cases of uploads. The row comes first, then the objects, then the row is completed with its event.

Nothing is held in the database while a file travels: what was checked before is checked again at the end, and of
two confirmations at the same time the first to complete the row wins, the other finds it complete.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from chat_service.auth.principal import Principal
from chat_service.channels import access, member_store
from chat_service.channels import rules as channel_rules
from chat_service.channels.access import refuse_unknown
from chat_service.errors import ChannelNotFound, RoleTooLow, StorageAway, UploadsOff
from chat_service.events.log import Cause, append, upload_event
from chat_service.holds.check import refuse_held_file
from chat_service.moderation.admission import require_free
from chat_service.paging import encode_cursor
from chat_service.resources import Resources
from chat_service.uploads import cleanup, store
from chat_service.uploads.depot import Depot
from chat_service.uploads.errors import FileTooLarge, UploadNotFound
from chat_service.uploads.rules import (
    Kind,
    canonical_type,
    incoming_path,
    kind_of,
    safe_filename,
)
from chat_service.uploads.store import StoredUpload
from chat_service.uploads.views import UploadPage, as_shown
from chat_service.users.store import known_users
from chatsdk_contracts.channels import Channel
from chatsdk_contracts.ids import ChannelId, UploadId, UserId, new_id
from chatsdk_contracts.uploads import Upload, UploadCompleted
from chatsdk_runtime.errors import ServiceError
from chatsdk_runtime.postgres import Connection, Transaction, reading, transaction


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is to come. `size` in bytes, 0 while it is not known."""

    caller: Principal
    user_id: UserId
    channel_id: ChannelId | None
    filename: str
    content_type: str
    now: datetime
    size: int = 0
    writable_until: datetime | None = None


async def announce(tx: Transaction, draft: Draft, depot: Depot) -> StoredUpload:
    """Write the row of a file that is to come.

    Raises:
        InvalidInput: the user whom a server names does not exist.
        FileTooLarge: it is announced with more bytes than it may have.
    """
    app_id, content_type = draft.caller.app_id, canonical_type(draft.content_type)
    kind = kind_of(content_type)
    if draft.size > depot.limits[kind]:
        raise FileTooLarge(kind, depot.limits[kind])
    if draft.caller.user_id is None:
        known = await known_users(tx, app_id, [draft.user_id])
        refuse_unknown([("userId", draft.user_id)] if draft.user_id not in known else [])
    await _require_taking(tx, draft.caller, draft.channel_id)
    await require_free(tx, app_id, draft.channel_id, draft.user_id)
    upload = StoredUpload(
        id=UploadId(new_id()),
        app_id=app_id,
        user_id=draft.user_id,
        channel_id=draft.channel_id,
        state="pending",
        kind=kind,
        filename=safe_filename(draft.filename),
        content_type=content_type,
        size=draft.size,
        created_at=draft.now,
        writable_until=draft.writable_until,
    )
    await store.insert_pending(tx, upload)
    return upload


async def _require_taking(connection: Connection, caller: Principal, channel_id: ChannelId | None) -> None:
    if channel_id is not None and not (await _place(connection, caller, channel_id)).config.uploads:
        raise UploadsOff


async def _place(connection: Connection, caller: Principal, channel_id: ChannelId) -> Channel:
    """The channel, which the caller is in."""
    channel = await access.find_visible(connection, caller.app_id, channel_id, caller.user_id)
    role = None
    if caller.user_id is not None:
        role = await member_store.fetch_role(connection, channel.id, caller.user_id)
    channel_rules.require_member(channel_rules.Actor(caller.user_id, role), channel)
    return channel


async def complete(tx: Transaction, cause: Cause, caller: Principal, arrived: StoredUpload) -> Upload:
    """Make the file one that can be read and shown, once; a repeat finds what the first one made.

    Raises:
        UploadNotFound: it was removed in the meantime.
    """
    if arrived.state == "complete":
        return as_shown(arrived)
    await _require_taking(tx, caller, arrived.channel_id)
    restraint = await require_free(tx, arrived.app_id, arrived.channel_id, arrived.user_id)
    done = replace(arrived, state="complete", completed_at=cause.now, shadowed=restraint.is_shadowed)
    if not await store.complete(tx, done):
        present = await store.fetch(tx, arrived.app_id, arrived.id)
        if present is None:
            raise UploadNotFound
        return as_shown(present)
    shown = as_shown(done)
    await append(tx, [upload_event(UploadCompleted, cause, done.id, shown)])
    return shown


def placed(arrived: StoredUpload, channel_id: ChannelId | None) -> StoredUpload:
    """The file in its channel, which a form may name behind it."""
    return replace(arrived, channel_id=channel_id)


async def settle(resources: Resources, arrived: StoredUpload, now: datetime) -> None:
    """After the commit: count the file, or remove what this attempt stored when another one won or was replayed."""
    async with reading(resources.pool) as connection:
        present = await store.fetch(connection, arrived.app_id, arrived.id)
    depot = resources.depot
    if present is not None and present.state == "pending":
        await discard(resources, arrived.id, now)
        return
    with suppress(StorageAway):
        # What is left behind lies in the upload's folder and goes with it.
        if present is not None and present.content_path != arrived.content_path:
            for path in (arrived.content_path, arrived.thumbnail_path):
                if path is not None:
                    await depot.objects.remove(path)
        elif arrived.state == "pending":
            depot.instruments.uploads.labels(arrived.kind, "stored").inc()
            depot.instruments.size.observe(arrived.size)
            if arrived.writable_until is not None:
                await depot.objects.remove(incoming_path(arrived.id))


async def discard(resources: Resources, upload_id: UploadId, now: datetime) -> None:
    """Remove a file that will not be completed, or that was deleted; what fails now is done by the clean-up."""
    async with transaction(resources.pool) as tx:
        await store.mark_removing(tx, upload_id)
    with suppress(StorageAway):
        await cleanup.remove(resources.pool, resources.depot.objects, upload_id, now)


@asynccontextmanager
async def discarded_if_refused(
    resources: Resources, upload_id: UploadId, now: datetime
) -> AsyncIterator[None]:
    """A refusal in here is the end of this file."""
    try:
        yield
    except ServiceError:
        await discard(resources, upload_id, now)
        raise


async def find_own(connection: Connection, caller: Principal, upload_id: UploadId) -> StoredUpload:
    """A file of the caller's, complete or not; for a server any of the app's.

    Raises:
        UploadNotFound: none, or somebody else's.
    """
    upload = await store.fetch(connection, caller.app_id, upload_id)
    if upload is None or caller.user_id not in {None, upload.user_id}:
        raise UploadNotFound
    return upload


async def find_readable(connection: Connection, caller: Principal, upload_id: UploadId) -> StoredUpload:
    """A file that the caller may read: its own, or one shown in a channel of theirs; a server any of the app's.

    Raises:
        UploadNotFound: none, or none that the caller may know of.
    """
    upload = await store.fetch(connection, caller.app_id, upload_id)
    if upload is None:
        raise UploadNotFound
    if caller.user_id in {None, upload.user_id}:
        return upload
    if upload.state != "complete" or not await store.is_shown_to(
        connection, upload, UserId(caller.user_id or "")
    ):
        raise UploadNotFound
    return upload


async def delete(tx: Transaction, caller: Principal, upload_id: UploadId) -> Upload:
    """Mark a file for removal: its uploader, a moderator of a channel that shows it, or a server.

    Raises:
        UploadNotFound: none that the caller may know of.
        RoleTooLow: the caller may read it and no more.
        LegalHold: it may not be deleted for now.
    """
    upload = await find_readable(tx, caller, upload_id)
    if caller.user_id not in {None, upload.user_id} and not await store.moderates(
        tx, upload, UserId(caller.user_id or "")
    ):
        raise RoleTooLow("Only its uploader or a moderator may delete a file.")
    await refuse_held_file(tx, caller.app_id, upload_id)
    if not await store.mark_removing(tx, upload_id):
        raise UploadNotFound
    return as_shown(upload)


async def list_uploads(
    connection: Connection,
    caller: Principal,
    channel_id: ChannelId | None,
    kind: Kind | None,
    *,
    before: UUID | None,
    limit: int,
) -> UploadPage:
    """The files of a channel that the caller is in, newest first."""
    if channel_id is None:
        raise ChannelNotFound
    await _place(connection, caller, channel_id)
    found = await store.list_of_channel(
        connection, channel_id, caller.user_id, kind, before=before, limit=limit + 1
    )
    page, more = found[:limit], len(found) > limit
    return UploadPage(
        uploads=[as_shown(one) for one in page],
        next_cursor=encode_cursor(page[-1].id) if more else None,
        has_more=more,
    )
