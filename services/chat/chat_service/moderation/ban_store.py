"""SQL of bans. Whether one still holds is said by the database's clock, here as where sends are decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chatsdk_contracts.ids import AppId, ChannelId, UserId, new_id
from chatsdk_contracts.moderation import Ban
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a ban is about, and where: one channel, or (None) the whole app."""

    app_id: AppId
    user_id: UserId
    channel_id: ChannelId | None


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long (None: for good), why, and whether the user is told."""

    duration_s: int | None = None
    reason: str | None = None
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class StoredBan:
    """A ban with its place in lists."""

    id: UUID
    ban: Ban


async def put_ban(tx: Transaction, scope: Scope, terms: Terms, banned_by: UserId | None) -> Ban:
    """Ban, in the place of a ban that is there already; its time begins now."""
    row = await tx.fetchrow(
        _PUT,
        UUID(new_id()),
        UUID(scope.app_id),
        scope.user_id,
        _uuid(scope.channel_id),
        terms.shadow,
        terms.reason,
        banned_by,
        terms.duration_s,
    )
    assert row is not None, "what is there already is written over"
    return _ban(row)


async def delete_ban(tx: Transaction, scope: Scope) -> Ban | None:
    """Lift a ban; None when there is none that holds."""
    row = await tx.fetchrow(_DELETE, UUID(scope.app_id), scope.user_id, _uuid(scope.channel_id))
    return None if row is None else _ban(row)


async def delete_over(tx: Transaction, scope: Scope) -> Ban | None:
    """Forget a ban whose time is over; None when there is none, or it holds again."""
    row = await tx.fetchrow(_DELETE_OVER, UUID(scope.app_id), scope.user_id, _uuid(scope.channel_id))
    return None if row is None else _ban(row)


async def bans_over(connection: Connection, limit: int) -> list[Scope]:
    """Bans whose time is over, the longest over first."""
    return [
        Scope(
            AppId(str(row["app_id"])),
            row["user_id"],
            None if row["channel_id"] is None else ChannelId(str(row["channel_id"])),
        )
        for row in await connection.fetch(_OVER, limit)
    ]


async def list_bans(
    connection: Connection,
    app_id: AppId,
    channel_id: ChannelId | None,
    user_id: UserId | None,
    *,
    before: UUID | None,
    limit: int,
) -> Sequence[StoredBan]:
    """The app's bans that hold, of one channel or user if given, the newest first."""
    rows = await connection.fetch(_LIST, UUID(app_id), _uuid(channel_id), user_id, before, limit)
    return [StoredBan(row["id"], _ban(row)) for row in rows]


def _uuid(channel_id: ChannelId | None) -> UUID | None:
    return None if channel_id is None else UUID(channel_id)


def _ban(row: Row) -> Ban:
    return Ban(
        user_id=row["user_id"],
        channel_id=None if row["channel_id"] is None else ChannelId(str(row["channel_id"])),
        banned_by=row["banned_by"],
        reason=row["reason"],
        shadow=row["shadow"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )


_COLUMNS = "id, user_id, channel_id, banned_by, reason, shadow, expires_at, created_at"

_PUT = f"""
insert into ban (id, app_id, user_id, channel_id, shadow, reason, banned_by, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, now(), now() + make_interval(secs => $8::int))
on conflict (app_id, user_id, channel_id) do update
set id = excluded.id, shadow = excluded.shadow, reason = excluded.reason, banned_by = excluded.banned_by,
  created_at = excluded.created_at, expires_at = excluded.expires_at
returning {_COLUMNS}
"""

_DELETE = f"""
delete from ban
where app_id = $1 and user_id = $2 and channel_id is not distinct from $3
  and (expires_at is null or expires_at > now())
returning {_COLUMNS}
"""

_DELETE_OVER = f"""
delete from ban
where app_id = $1 and user_id = $2 and channel_id is not distinct from $3 and expires_at <= now()
returning {_COLUMNS}
"""

_OVER = """
select app_id, user_id, channel_id
from ban
where expires_at <= now()
order by expires_at
limit $1
"""

_LIST = f"""
select {_COLUMNS}
from ban
where app_id = $1 and ($2::uuid is null or channel_id = $2) and ($3::text is null or user_id = $3)
  and (expires_at is null or expires_at > now()) and ($4::uuid is null or id < $4)
order by id desc
limit $5
"""
