"""SQL of uploads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from chat_service.messages.store import TIMELINE_SEQ
from chat_service.uploads.rules import Kind
from chatsdk_contracts.ids import AppId, ChannelId, UploadId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """A row: what the API shows of it, and where its objects are. Size in bytes."""

    id: UploadId
    app_id: AppId
    user_id: UserId
    channel_id: ChannelId | None
    state: Literal["pending", "complete", "removing"]
    kind: Kind
    filename: str
    content_type: str
    size: int
    created_at: datetime
    writable_until: datetime | None = None
    content_path: str | None = None
    thumbnail_path: str | None = None
    width: int | None = None
    height: int | None = None
    completed_at: datetime | None = None
    shadowed: bool = False


async def insert_pending(tx: Transaction, upload: StoredUpload) -> None:
    """Announce a file, before anything of it is stored."""
    await tx.execute(
        _INSERT,
        UUID(upload.id),
        UUID(upload.app_id),
        upload.user_id,
        None if upload.channel_id is None else UUID(upload.channel_id),
        upload.kind,
        upload.filename,
        upload.content_type,
        upload.size,
        upload.writable_until,
        upload.created_at,
    )


async def complete(tx: Transaction, upload: StoredUpload) -> bool:
    """Write what is known of the file now that it is there; False when it is not pending any more."""
    done = await tx.fetchval(
        _COMPLETE,
        UUID(upload.id),
        None if upload.channel_id is None else UUID(upload.channel_id),
        upload.kind,
        upload.content_type,
        upload.size,
        upload.content_path,
        upload.thumbnail_path,
        upload.width,
        upload.height,
        upload.completed_at,
        upload.shadowed,
    )
    return done is not None


async def fetch(connection: Connection, app_id: AppId, upload_id: UploadId) -> StoredUpload | None:
    """One upload of the app; None for one that is being removed."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), UUID(upload_id))
    return None if row is None else _upload(row)


async def fetch_any(connection: Connection, upload_id: UploadId) -> StoredUpload | None:
    """The same without an app: for whoever holds a signed address."""
    row = await connection.fetchrow(_FETCH_ANY, UUID(upload_id))
    return None if row is None else _upload(row)


async def is_shown_to(connection: Connection, upload: StoredUpload, user_id: UserId) -> bool:
    """Whether the user is in a channel to which the file was uploaded, or where a message shows it."""
    shown: bool = await connection.fetchval(
        _IS_SHOWN, UUID(upload.id), UUID(upload.app_id), user_id, _place_of(upload)
    )
    return shown


async def moderates(connection: Connection, upload: StoredUpload, user_id: UserId) -> bool:
    """Whether the user is a moderator or above in such a channel."""
    does: bool = await connection.fetchval(
        _MODERATES, UUID(upload.id), UUID(upload.app_id), user_id, _place_of(upload)
    )
    return does


def _place_of(upload: StoredUpload) -> UUID | None:
    """The channel whose members find the file there."""
    return None if upload.channel_id is None or upload.shadowed else UUID(upload.channel_id)


async def list_of_channel(
    connection: Connection,
    channel_id: ChannelId,
    reader_id: UserId | None,
    kind: Kind | None,
    *,
    before: UUID | None,
    limit: int,
) -> list[StoredUpload]:
    """The complete files of a channel that a reader sees (None: a server), newest first."""
    rows = await connection.fetch(_LIST, UUID(channel_id), kind, before, limit, reader_id)
    return [_upload(row) for row in rows]


async def mark_removing(tx: Transaction, upload_id: UploadId) -> bool:
    """From here on the file is not found, whether or not its objects are gone; False when it was so already."""
    return await tx.fetchval(_MARK_REMOVING, UUID(upload_id)) is not None


async def mark_expired(
    tx: Transaction, *, pending_before: datetime, unlinked_before: datetime, limit: int
) -> int:
    """The same for files that nobody confirmed or shows, at most so many; returns how many."""
    pending = await tx.fetch(_MARK_PENDING, pending_before, limit)
    unlinked = await tx.fetch(_MARK_UNLINKED, unlinked_before, limit)
    return len(pending) + len(unlinked)


async def list_removing(connection: Connection, after: UUID | None, limit: int) -> list[StoredUpload]:
    """Files whose objects are to be deleted, by id."""
    return [_upload(row) for row in await connection.fetch(_LIST_REMOVING, after, limit)]


async def delete(tx: Transaction, upload_id: UploadId, *, now: datetime) -> bool:
    """Forget a file whose objects are gone; not while an address of it may still be written to."""
    return await tx.fetchval(_DELETE, UUID(upload_id), now) is not None


async def list_written_beside(connection: Connection, *, now: datetime, limit: int) -> list[UploadId]:
    """Complete files whose signed address has ended since."""
    rows = await connection.fetch(_LIST_WRITABLE, now, limit)
    return [UploadId(str(row["id"])) for row in rows]


async def close_address(tx: Transaction, upload_id: UploadId) -> None:
    """Note that nothing can be written beside the file any more."""
    await tx.execute(_CLOSE_ADDRESS, UUID(upload_id))


async def hold(
    tx: Transaction, app_id: AppId, ids: Sequence[UploadId], owner: UserId | None
) -> list[StoredUpload]:
    """Those of these that are complete and the owner's (None: anybody's); none of them is cleaned up for a while, so that a send can show them."""
    rows = await tx.fetch(_HOLD, UUID(app_id), [UUID(one) for one in ids], owner)
    return [_upload(row) for row in rows]


def _upload(row: Row) -> StoredUpload:
    return StoredUpload(
        id=UploadId(str(row["id"])),
        app_id=AppId(str(row["app_id"])),
        user_id=row["user_id"],
        channel_id=None if row["channel_id"] is None else ChannelId(str(row["channel_id"])),
        state=row["state"],
        kind=row["kind"],
        filename=row["filename"],
        content_type=row["content_type"],
        size=row["size"],
        created_at=row["created_at"],
        writable_until=row["writable_until"],
        content_path=row["content_path"],
        thumbnail_path=row["thumbnail_path"],
        width=row["width"],
        height=row["height"],
        completed_at=row["completed_at"],
        shadowed=row["shadowed"],
    )


_COLUMNS = """id, app_id, user_id, channel_id, state, kind, filename, content_type, size, created_at, writable_until,
  content_path, thumbnail_path, width, height, completed_at, shadowed"""

_INSERT = """
insert into upload (
  id, app_id, user_id, channel_id, state, kind, filename, content_type, size, writable_until, created_at
)
values ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, $10)
"""

_COMPLETE = """
update upload
set state = 'complete', channel_id = $2, kind = $3, content_type = $4, size = $5, content_path = $6,
  thumbnail_path = $7, width = $8, height = $9, completed_at = $10, unlinked_since = $10,
  shadowed = $11
where id = $1 and state = 'pending'
returning id
"""

_FETCH = f"select {_COLUMNS} from upload where app_id = $1 and id = $2 and state <> 'removing'"

_FETCH_ANY = f"select {_COLUMNS} from upload where id = $1 and state <> 'removing'"

_PLACES = f"""
from channel_member member
join channel on channel.id = member.channel_id and channel.deleted_at is null
where member.app_id = $2 and member.user_id = $3
  and (
    member.channel_id = $4
    or exists (
      select from upload_link
      join message m on m.id = upload_link.message_id
      where upload_link.upload_id = $1 and upload_link.channel_id = member.channel_id
        and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
        and (m.shadowed_after is null or m.user_id = $3)
    )
  )
"""

_IS_SHOWN = f"select exists (select {_PLACES})"

_MODERATES = f"select exists (select {_PLACES} and member.role in ('moderator', 'admin', 'owner'))"

_LIST = f"""
select {_COLUMNS}
from upload
where state = 'complete' and id in (
  (
    select id
    from upload
    where channel_id = $1 and state = 'complete' and ($2::text is null or kind = $2)
      and ($3::uuid is null or id < $3) and (not shadowed or user_id = $5::text or $5 is null)
    order by id desc
    limit $4
  )
  union
  (
    select distinct upload_link.upload_id
    from upload_link
    join message m on m.id = upload_link.message_id
    join channel on channel.id = upload_link.channel_id
    left join channel_member member on member.channel_id = upload_link.channel_id and member.user_id = $5
    where upload_link.channel_id = $1 and ($2::text is null or upload_link.kind = $2)
      and ($3::uuid is null or upload_link.upload_id < $3)
      and (m.shadowed_after is null or m.user_id = $5 or $5 is null)
      and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
    order by upload_id desc
    limit $4
  )
)
order by id desc
limit $4
"""

_MARK_REMOVING = "update upload set state = 'removing' where id = $1 and state <> 'removing' returning id"

_MARK_PENDING = """
update upload
set state = 'removing'
where id in (
  select id
  from upload
  where state = 'pending' and created_at < $1
  order by created_at
  limit $2
  for no key update skip locked
)
returning id
"""

_MARK_UNLINKED = """
update upload
set state = 'removing'
where id in (
  select id
  from upload
  where state = 'complete' and unlinked_since < $1 and not exists (
    select from legal_hold hold
    where hold.app_id = upload.app_id and hold.released_at is null
      and (hold.user_id = upload.user_id or hold.channel_id = upload.channel_id)
  )
  order by unlinked_since
  limit $2
  for no key update skip locked
)
returning id
"""

_LIST_REMOVING = f"""
select {_COLUMNS}
from upload
where state = 'removing' and ($1::uuid is null or id > $1)
order by id
limit $2
"""

_DELETE = """
delete from upload
where id = $1 and state = 'removing' and (writable_until is null or writable_until < $2)
returning id
"""

_LIST_WRITABLE = """
select id
from upload
where state = 'complete' and writable_until < $1
order by writable_until
limit $2
"""

_CLOSE_ADDRESS = "update upload set writable_until = null where id = $1 and state = 'complete'"

_HOLD = f"""
with wanted as (
  select id
  from upload
  where app_id = $1 and id = any($2::uuid[]) and state = 'complete' and ($3::text is null or user_id = $3)
  order by id
  for no key update
)
update upload
set unlinked_since = case when unlinked_since is null then null else now() end
where id in (select id from wanted)
returning {_COLUMNS}
"""
