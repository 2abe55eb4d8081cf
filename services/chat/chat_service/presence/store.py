"""SQL of presence. A user's row is locked before what decides is read; times are this server's.

Rows are locked in one order everywhere: a session, then users by app and id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.presence.rules import Facts
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.postgres import Connection, Transaction

UserKey = tuple[AppId, UserId]


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket as the table has it."""

    id: str
    user: UserKey
    is_away: bool = False


# --------------------------------------------------------------------------------------------- sessions


async def open_session(connection: Connection, session_id: UUID) -> None:
    """A replica begins to hold sockets."""
    await connection.execute("insert into presence_session (id, renewed_at) values ($1, now())", session_id)


async def renew_session(connection: Connection, session_id: UUID, dead_after_s: float) -> bool:
    """Say that the replica lives; False when it counts as dead already."""
    return await connection.fetchval(_RENEW, session_id, dead_after_s) is not None


async def hold_session(tx: Transaction, session_id: UUID, dead_after_s: float) -> bool:
    """Keep the session from being declared dead until the end of the transaction; False when it is too late."""
    return await tx.fetchval(_HOLD, session_id, dead_after_s) is not None


async def lock_dead(tx: Transaction, dead_after_s: float) -> UUID | None:
    """A session that did not renew, locked; those that another replica is at are passed over."""
    found: UUID | None = await tx.fetchval(_LOCK_DEAD, dead_after_s)
    return found


async def sockets_of(tx: Transaction, session_id: UUID, limit: int) -> list[Socket]:
    """Some of the sockets that a locked session held."""
    rows = await tx.fetch(_SOCKETS_OF, session_id, limit)
    return [Socket(str(row["id"]), (AppId(str(row["app_id"])), UserId(row["user_id"]))) for row in rows]


async def delete_session(tx: Transaction, session_id: UUID) -> None:
    """Forget a session that holds nothing any more."""
    await tx.execute("delete from presence_session where id = $1", session_id)


# ---------------------------------------------------------------------------------------------- sockets


async def insert_sockets(tx: Transaction, session_id: UUID, sockets: Sequence[Socket]) -> None:
    """Write sockets; those that are there already get their present mode."""
    await tx.execute(
        _INSERT_SOCKETS,
        [UUID(one.id) for one in sockets],
        session_id,
        [UUID(one.user[0]) for one in sockets],
        [one.user[1] for one in sockets],
        [one.is_away for one in sockets],
    )


async def delete_sockets(tx: Transaction, ids: Sequence[str]) -> None:
    """Forget sockets."""
    await tx.execute("delete from presence_connection where id = any($1::uuid[])", [UUID(one) for one in ids])


# ------------------------------------------------------------------------------------------------ users


async def lock_users(tx: Transaction, users: Sequence[UserKey]) -> None:
    """Lock these users' rows, made if there are none; what decides is read in a later statement."""
    columns = _columns(users)
    await tx.execute(_MAKE, *columns)
    await tx.execute(_LOCK, *columns)


async def lock_due(tx: Transaction, limit: int) -> list[UserKey]:
    """Users whose time has come, locked; those that another replica is at are passed over."""
    rows = await tx.fetch(_LOCK_DUE, limit)
    return [(AppId(str(row["app_id"])), UserId(row["user_id"])) for row in rows]


async def fetch_facts(
    connection: Connection, users: Sequence[UserKey]
) -> tuple[dict[UserKey, Facts], datetime]:
    """What is known of each user who has a row, and what time it is for the database."""
    rows = await connection.fetch(_FACTS, *_columns(users))
    now: datetime = await connection.fetchval("select clock_timestamp()")
    facts = {
        (AppId(str(row["app_id"])), UserId(row["user_id"])): Facts(
            chosen=row["chosen"],
            shown=row["shown"],
            sockets=row["sockets"],
            awake=row["awake"],
            heartbeat_until=row["heartbeat_until"],
            due_at=row["due_at"],
            last_seen_at=row["last_seen_at"],
        )
        for row in rows
    }
    return facts, now


async def write_facts(tx: Transaction, facts: Mapping[UserKey, Facts]) -> None:
    """Write what was decided of locked users."""
    if not facts:
        return
    await tx.execute(
        _WRITE,
        *_columns(list(facts)),
        [one.chosen for one in facts.values()],
        [one.shown for one in facts.values()],
        [one.heartbeat_until for one in facts.values()],
        [one.due_at for one in facts.values()],
        [one.last_seen_at for one in facts.values()],
    )


async def note_seen(connection: Connection, users: Sequence[UserKey]) -> None:
    """These users did something just now. A row that is locked is being written anyway."""
    await connection.execute(_NOTE_SEEN, *_columns(users))


def _columns(users: Sequence[UserKey]) -> tuple[list[UUID], list[str]]:
    return [UUID(app_id) for app_id, _ in users], [user_id for _, user_id in users]


_RENEW = """
update presence_session
set renewed_at = now()
where id = $1 and renewed_at > now() - make_interval(secs => $2)
returning id
"""

_HOLD = """
select id
from presence_session
where id = $1 and renewed_at > now() - make_interval(secs => $2)
for key share
"""

_LOCK_DEAD = """
select id
from presence_session
where renewed_at <= now() - make_interval(secs => $1)
limit 1
for update skip locked
"""

_SOCKETS_OF = """
select id, app_id, user_id
from presence_connection
where session_id = $1
limit $2
"""

_INSERT_SOCKETS = """
insert into presence_connection (id, session_id, app_id, user_id, is_away)
select id, $2, app_id, user_id, is_away
from unnest($1::uuid[], $3::uuid[], $4::text[], $5::boolean[]) as s (id, app_id, user_id, is_away)
on conflict (id) do update set session_id = excluded.session_id, is_away = excluded.is_away
"""

_MAKE = """
insert into user_presence (app_id, user_id)
select wanted.app_id, wanted.user_id
from unnest($1::uuid[], $2::text[]) as wanted (app_id, user_id)
join app_user on app_user.app_id = wanted.app_id and app_user.id = wanted.user_id
order by wanted.app_id, wanted.user_id
on conflict do nothing
"""

_LOCK = """
select user_presence.app_id
from user_presence
join unnest($1::uuid[], $2::text[]) as wanted (app_id, user_id) using (app_id, user_id)
order by app_id, user_id
for update of user_presence
"""

_LOCK_DUE = """
select app_id, user_id
from user_presence
where due_at <= now()
order by due_at
limit $1
for update skip locked
"""

_FACTS = """
select user_presence.*, held.sockets, held.awake
from user_presence
join unnest($1::uuid[], $2::text[]) as wanted (app_id, user_id) using (app_id, user_id)
cross join lateral (
  select count(*) as sockets, count(*) filter (where not one.is_away) as awake
  from presence_connection as one
  where one.app_id = user_presence.app_id and one.user_id = user_presence.user_id
) as held
"""

_WRITE = """
update user_presence as place
set chosen = new.chosen, shown = new.shown, heartbeat_until = new.heartbeat_until, due_at = new.due_at,
  last_seen_at = new.last_seen_at
from unnest(
  $1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]
) as new (app_id, user_id, chosen, shown, heartbeat_until, due_at, last_seen_at)
where place.app_id = new.app_id and place.user_id = new.user_id
"""

_NOTE_SEEN = """
with seen as (
  select app_id, user_id
  from user_presence
  join unnest($1::uuid[], $2::text[]) as wanted (app_id, user_id) using (app_id, user_id)
  where shown <> 'offline'
  for update of user_presence skip locked
)
update user_presence as place
set last_seen_at = now()
from seen
where place.app_id = seen.app_id and place.user_id = seen.user_id
"""
