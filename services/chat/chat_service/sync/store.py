"""SQL of sync: where a user is and was, what happened there, and how things are now. All read in one snapshot.

The log is looked at by subject and by position, bounded by ids, so that what happens in other channels, and
how many days are kept, cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chatsdk_contracts.channels import Member
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_contracts.users import User, UserState
from chatsdk_runtime.postgres import Connection, Row


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log and the user stand: `oldest` is the oldest event id that has no position yet."""

    epoch: int
    positions: tuple[int, ...]
    oldest: UUID | None


@dataclass(frozen=True, slots=True)
class Place:
    """A channel that the user is in; `deleted` ones are told of once more."""

    channel_id: ChannelId
    cv: int
    last_seq: int
    joined_cv: int
    deleted: bool
    state_version: int
    state: UserState


@dataclass(frozen=True, slots=True)
class Past:
    """A channel that the user was in until version `cv`."""

    channel_id: ChannelId
    cv: int
    reason: str


@dataclass(frozen=True, slots=True)
class Logged:
    """An event of a channel as it stands in the log."""

    channel_id: ChannelId
    version: int
    type: str
    pos: int
    body: bytes


async def read_head(connection: Connection) -> Head:
    """The heads of all lanes, and the epoch."""
    rows = await connection.fetch("select lane, next_pos - 1 as pos from relay_lane order by lane")
    epoch = await connection.fetchval("select epoch from platform")
    oldest = await connection.fetchval("select id from event where lane_pos is null order by id limit 1")
    return Head(epoch, tuple(row["pos"] for row in rows), oldest)


@dataclass(frozen=True, slots=True)
class Self:
    """The user, with the versions of what others and what only they see."""

    user: User
    version: int
    state_version: int


async def read_self(connection: Connection, app_id: AppId, user_id: UserId) -> Self | None:
    """The user who catches up; None when there is no such user."""
    row = await connection.fetchrow(_SELF, UUID(app_id), user_id)
    if row is None:
        return None
    user = User(
        id=user_id,
        name=row["name"],
        image=row["image"],
        custom=orjson.loads(row["custom"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deactivated_at=row["deactivated_at"],
    )
    return Self(user, row["version"], row["state_version"])


async def places_of(connection: Connection, app_id: AppId, user_id: UserId) -> list[Place]:
    """The channels that a user is in, deleted ones too."""
    return [_place(row, user_id) for row in await connection.fetch(_PLACES, UUID(app_id), user_id)]


async def pasts_of(connection: Connection, app_id: AppId, user_id: UserId) -> list[Past]:
    """The channels that a user was in."""
    rows = await connection.fetch(_PASTS, UUID(app_id), user_id)
    return [Past(ChannelId(str(row["channel_id"])), row["cv"], row["reason"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Span:
    """Between which ids events are looked for: the days of the log that are concerned."""

    low: UUID
    high: UUID


async def first_versions(
    connection: Connection, subjects: Sequence[str], after: Sequence[int], span: Span
) -> dict[str, int]:
    """Per subject, the version of its first event behind a position of its lane; none where nothing happened."""
    rows = await connection.fetch(_FIRST_VERSIONS, subjects, after, span.low, span.high)
    return {row["subject"]: row["version"] for row in rows}


async def read_lane(
    connection: Connection, subjects: Sequence[str], after: int, up_to: int, span: Span, *, limit: int
) -> list[Logged]:
    """Events of these subjects, all of one lane, with positions in (after, up_to], in order."""
    rows = await connection.fetch(_READ_LANE, subjects, after, up_to, span.low, span.high, limit)
    return [
        Logged(ChannelId(str(row["channel_id"])), row["version"], row["type"], row["lane_pos"], row["body"])
        for row in rows
    ]


async def fetch_members(
    connection: Connection, channels: Sequence[ChannelId], users: Sequence[UserId]
) -> dict[tuple[ChannelId, UserId], Member]:
    """Those of these (channel, user) pairs who are members now."""
    rows = await connection.fetch(_MEMBERS, [UUID(one) for one in channels], users)
    members = [
        Member(
            channel_id=ChannelId(str(row["channel_id"])),
            user_id=row["user_id"],
            role=row["role"],
            joined_at=row["joined_at"],
        )
        for row in rows
    ]
    return {(member.channel_id, member.user_id): member for member in members}


async def floors_of(
    connection: Connection, user_id: UserId, channels: Sequence[ChannelId]
) -> dict[ChannelId, int]:
    """Per channel of a member, the seq up to which nothing is shown to them."""
    rows = await connection.fetch(_FLOORS, user_id, [UUID(one) for one in channels])
    return {ChannelId(str(row["id"])): row["floor_seq"] for row in rows}


async def unnumbered_from(connection: Connection, subjects: Sequence[str]) -> dict[str, int]:
    """Per subject, the first version that is committed and has no position yet; usually none at all."""
    rows = await connection.fetch(_UNNUMBERED_FROM, subjects)
    return {row["subject"]: row["version"] for row in rows}


@dataclass(frozen=True, slots=True)
class OpLane:
    """A client's lane in a channel: its last operation, and the channel's version after it."""

    channel_id: ChannelId
    last_seq: int
    last_cv: int


async def op_lanes(
    connection: Connection, app_id: AppId, user_id: UserId, client_id: str, *, since: datetime
) -> list[OpLane]:
    """The lanes of a client that had an operation since a time."""
    rows = await connection.fetch(_OP_LANES, UUID(app_id), user_id, client_id, since)
    return [OpLane(ChannelId(str(row["channel_id"])), row["last_seq"], row["last_cv"]) for row in rows]


async def last_op_within(
    connection: Connection, app_id: AppId, user_id: UserId, client_id: str, lane: OpLane, cv: int
) -> int | None:
    """The lane's last operation whose effect is at or below a version of the channel."""
    found: int | None = await connection.fetchval(
        _LAST_OP_WITHIN, UUID(app_id), user_id, client_id, UUID(lane.channel_id), cv
    )
    return found


def _place(row: Row, user_id: UserId) -> Place:
    channel_id = ChannelId(str(row["channel_id"]))
    state = UserState(
        user_id=user_id,
        channel_id=channel_id,
        read_generation=row["read_generation"],
        last_read_seq=row["last_read_seq"],
        muted_until=row["muted_until"],
        starred=row["starred"],
        hidden=row["hidden"],
        cleared_seq=row["cleared_seq"],
        updated_at=row["state_updated_at"] or row["joined_at"],
    )
    return Place(
        channel_id,
        row["cv"],
        row["last_seq"],
        row["joined_cv"],
        row["deleted"],
        row["state_version"],
        state,
    )


_SELF = """
select name, image, custom, version, state_version, created_at, updated_at, deactivated_at
from app_user
where app_id = $1 and id = $2
"""

_PLACES = """
select m.channel_id, m.joined_cv, m.joined_at, m.state_version, m.state_updated_at, m.read_generation,
  m.last_read_seq, m.muted_until, m.starred, m.cleared_seq,
  m.hidden and c.last_seq <= m.hidden_seq as hidden, c.cv, c.last_seq, c.deleted_at is not null as deleted
from channel_member m
join channel c on c.id = m.channel_id
where m.app_id = $1 and m.user_id = $2
"""

_PASTS = "select channel_id, cv, reason from departure where app_id = $1 and user_id = $2"

_FIRST_VERSIONS = """
select wanted.subject, first.version
from unnest($1::text[], $2::bigint[]) as wanted (subject, after)
cross join lateral (
  select version
  from event
  where subject = wanted.subject and lane_pos > wanted.after and lane_pos is not null and version is not null
    and id >= $3 and id < $4
  order by lane_pos
  limit 1
) first
"""

_READ_LANE = """
select e.channel_id, e.version, e.type, e.lane_pos, e.body
from unnest($1::text[]) as wanted (subject)
cross join lateral (
  select channel_id, version, type, lane_pos, body
  from event
  where subject = wanted.subject and lane_pos > $2 and lane_pos <= $3 and lane_pos is not null
    and version is not null and id >= $4 and id < $5
  order by lane_pos
  limit $6
) e
order by e.lane_pos
limit $6
"""

_MEMBERS = """
select m.channel_id, m.user_id, m.role, m.joined_at
from unnest($1::uuid[], $2::text[]) as wanted (channel_id, user_id)
join channel_member m on m.channel_id = wanted.channel_id and m.user_id = wanted.user_id
"""

_FLOORS = """
select channel.id, greatest(channel.truncated_seq, member.cleared_seq) as floor_seq
from channel
join channel_member member on member.channel_id = channel.id and member.user_id = $1
where channel.id = any($2::uuid[])
"""

_UNNUMBERED_FROM = """
select subject, min(version) as version
from event
where lane_pos is null and version is not null and subject = any($1::text[])
group by subject
"""

_OP_LANES = """
select channel_id, last_seq, last_cv
from op_lane
where app_id = $1 and user_id = $2 and client_id = $3 and updated_at >= $4
"""

_LAST_OP_WITHIN = """
select lane_seq
from op_result
where app_id = $1 and user_id = $2 and client_id = $3 and channel_id = $4 and cv <= $5
order by lane_seq desc
limit 1
"""
