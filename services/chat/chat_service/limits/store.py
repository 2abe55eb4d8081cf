"""SQL of limits: the buckets that replicas share, which replicas there are, and what owners chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from chat_service.limits.rates import RateLimits
from chatsdk_contracts.ids import AppId
from chatsdk_runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class Asked:
    """One bucket's limit, and what is asked of it."""

    app_id: AppId
    key: str
    per_second: float
    burst: float
    want: int
    give: int


@dataclass(frozen=True, slots=True)
class Lent:
    """How many tokens were given, and how many are left."""

    granted: int
    level: float


async def lease(connection: Connection, asked: Sequence[Asked]) -> Sequence[Lent]:
    """Take tokens out of several buckets, each once; one that is not there yet is full. In the order asked."""
    rows = await connection.fetch(
        _LEASE,
        [UUID(one.app_id) for one in asked],
        [one.key for one in asked],
        [one.per_second for one in asked],
        [one.burst for one in asked],
        [one.want for one in asked],
        [one.give for one in asked],
    )
    lent = {(str(row["app_id"]), row["key"]): Lent(row["granted"], row["level"]) for row in rows}
    return [lent[one.app_id, one.key] for one in asked]


async def count_replicas(connection: Connection, replica_id: UUID, *, dead_after_s: float) -> int:
    """How many replicas there are, this one being alive; one that has not been seen for so long is none."""
    return int(await connection.fetchval(_COUNT_REPLICAS, replica_id, dead_after_s))


async def forget_full(connection: Connection, *, limit: int = 5_000) -> int:
    """Delete buckets that are full again, at most `limit` at a time: none is the same as full."""
    return len(await connection.fetch(_FORGET_FULL, limit))


async def fetch_chosen(connection: Connection, app_ids: Sequence[AppId]) -> Mapping[AppId, RateLimits]:
    """What the owners of these apps chose, over the defaults; an app that is not there has chosen nothing."""
    rows = await connection.fetch(_FETCH_CHOSEN, [UUID(app_id) for app_id in app_ids])
    stored = {AppId(str(row["id"])): row["chosen"] or "{}" for row in rows}
    return {app_id: RateLimits.model_validate_json(stored.get(app_id, "{}")) for app_id in app_ids}


_FILLED = """
least(
  excluded.burst,
  bucket.level + excluded.given_back
    + excluded.per_second * greatest(0, extract(epoch from now() - bucket.filled_at)::double precision)
)
"""

# The bucket's row is locked in the order of the keys, by every replica, so that none waits in a circle.
_LEASE = f"""
insert into rate_limit_bucket as bucket
  (app_id, key, per_second, burst, wanted, given_back, granted, level, filled_at)
select app_id, key, per_second, burst, wanted, given_back,
  least(wanted, floor(burst)), burst - least(wanted, floor(burst)), now()
from unnest($1::uuid[], $2::text[], $3::float8[], $4::float8[], $5::int[], $6::int[])
  as asked (app_id, key, per_second, burst, wanted, given_back)
order by app_id, key
on conflict (app_id, key) do update
set per_second = excluded.per_second, burst = excluded.burst,
  wanted = excluded.wanted, given_back = excluded.given_back,
  granted = least(excluded.wanted, floor({_FILLED})),
  level = {_FILLED} - least(excluded.wanted, floor({_FILLED})),
  filled_at = greatest(bucket.filled_at, now())
returning app_id, key, granted, level
"""

_COUNT_REPLICAS = """
with seen as (
  insert into rate_limit_replica (id, seen_at) values ($1, now())
  on conflict (id) do update set seen_at = excluded.seen_at
), gone as (
  delete from rate_limit_replica where seen_at < now() - interval '1 hour'
)
select 1 + count(*)
from rate_limit_replica
where id <> $1 and seen_at > now() - make_interval(secs => $2)
"""

_FORGET_FULL = """
delete from rate_limit_bucket
where (app_id, key) in (
  select app_id, key
  from rate_limit_bucket
  where filled_at + make_interval(secs => (burst - level) / per_second) < now() - interval '1 minute'
  limit $1
)
returning 1
"""

_FETCH_CHOSEN = """
select id, settings -> 'rateLimits' as chosen
from app
where id = any($1::uuid[])
"""
