"""All SQL of the metrics service.

Every statement that writes several rows takes them in the order of their keys, so that replicas which count
at the same time wait for each other and never lock each other out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from chatsdk_runtime.partitions import (
    DAYS_AHEAD,
    drop_partition,
    ensure_partitions,
    partition_days,
    retention_turn,
)
from chatsdk_runtime.postgres import Connection, Transaction
from metrics_service.projections import Hour, Total

PARTITIONED = ("counted_event",)
# The event log keeps 30 days; whatever can be read from it again must still be known as counted.
DAYS_KEPT = 31
_APPS_LOCK = 0x43534B41  # "CSKA": apps get their ordinals in the order in which they become visible


@dataclass(frozen=True, slots=True)
class Covered:
    """Positions of a lane that are counted: from `first` to `last`, both included."""

    lane: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Rollups:
    """What /metrics shows: totals by key (apps beyond the bound under `other`), and how many apps there are."""

    totals: Mapping[Total, int]
    apps: int


async def learn_apps(tx: Transaction, app_ids: Collection[str]) -> None:
    """Give apps that were not seen before their place in the order of first sight."""
    missing = await tx.fetch(_MISSING_APPS, sorted(app_ids))
    if not missing:
        return
    await tx.execute("select pg_advisory_xact_lock($1)", _APPS_LOCK)
    await tx.execute(_INSERT_APPS, [row["app_id"] for row in missing])


_MISSING_APPS = """
select wanted.app_id
from unnest($1::text[]) as wanted (app_id)
where not exists (select from app where app.app_id = wanted.app_id)
order by wanted.app_id
"""

_INSERT_APPS = """
insert into app (app_id)
select app_id from unnest($1::text[]) as wanted (app_id) order by app_id
on conflict do nothing
"""


async def mark_counted(tx: Transaction, event_ids: Collection[UUID]) -> set[UUID]:
    """Mark events as counted; returns those that were not before. Only these may be counted."""
    rows = await tx.fetch(_MARK, sorted(event_ids))
    return {UUID(bytes=row["event_id"].bytes) for row in rows}


_MARK = """
insert into counted_event (event_id)
select event_id from unnest($1::uuid[]) as seen (event_id) order by event_id
on conflict do nothing
returning event_id
"""


async def learn_channels(tx: Transaction, types: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, int]]:
    """Keep the app and type of channels; returns those that had unplaced messages, with type and number.

    The caller moves that number from the type "unknown" to the channel's own, in the same transaction.
    """
    ids = sorted(types)
    rows = await tx.fetch(
        _LEARN_CHANNELS, ids, [types[one][0] for one in ids], [types[one][1] for one in ids]
    )
    waiting = {row["channel_id"]: (row["type"], row["unplaced"]) for row in rows if row["unplaced"]}
    if waiting:
        await tx.execute(
            "update channel set unplaced = 0 where channel_id = any($1::text[])", sorted(waiting)
        )
    return waiting


_LEARN_CHANNELS = """
insert into channel as known (channel_id, app_id, type)
select channel_id, app_id, type
from unnest($1::text[], $2::text[], $3::text[]) as told (channel_id, app_id, type)
order by channel_id
on conflict (channel_id) do update
set type = coalesce(known.type, excluded.type)
returning channel_id, type, unplaced
"""


async def channel_types(tx: Transaction, messages: Mapping[tuple[str, str], int]) -> dict[str, str | None]:
    """The type of each channel, given as {(app, channel): messages}; None while it is not known.

    The messages of a channel that is not known are kept with it as unplaced.
    """
    ids = sorted({channel_id for _, channel_id in messages})
    found: dict[str, str | None] = {row["channel_id"]: row["type"] for row in await tx.fetch(_TYPES, ids)}
    missing = sorted((channel_id, app_id) for app_id, channel_id in messages if channel_id not in found)
    if missing:
        # Under the row's lock: the channel may become known in this very moment, in another transaction.
        rows = await tx.fetch(
            _ADD_UNPLACED,
            [channel_id for channel_id, _ in missing],
            [app_id for _, app_id in missing],
            [messages[app_id, channel_id] for channel_id, app_id in missing],
        )
        found.update({row["channel_id"]: row["type"] for row in rows})
    return found


_TYPES = "select channel_id, type from channel where channel_id = any($1::text[]) and type is not null"

_ADD_UNPLACED = """
insert into channel as known (channel_id, app_id, unplaced)
select channel_id, min(app_id), sum(number)
from unnest($1::text[], $2::text[], $3::bigint[]) as sent (channel_id, app_id, number)
group by channel_id
order by channel_id
on conflict (channel_id) do update
set unplaced = case when known.type is null then known.unplaced + excluded.unplaced else 0 end
returning channel_id, type
"""


async def add_totals(tx: Transaction, totals: Mapping[Total, int]) -> None:
    """Add to the exact totals."""
    rows = sorted(totals.items())
    await tx.execute(
        _ADD_TOTALS,
        [key.series for key, _ in rows],
        [key.app_id for key, _ in rows],
        [key.label for key, _ in rows],
        [change for _, change in rows],
    )


_ADD_TOTALS = """
insert into business_total as total (series, app_id, label, value)
select series, app_id, label, change
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
  with ordinality as added (series, app_id, label, change, place)
order by place
on conflict (series, app_id, label) do update
set value = total.value + excluded.value
"""


async def add_hours(tx: Transaction, hours: Mapping[Hour, int]) -> None:
    """Add to the hourly buckets."""
    rows = sorted(hours.items())
    await tx.execute(
        _ADD_HOURS,
        [key.app_id for key, _ in rows],
        [key.event_type for key, _ in rows],
        [key.hour for key, _ in rows],
        [change for _, change in rows],
    )


_ADD_HOURS = """
insert into rollup_hour as bucket (app_id, event_type, hour, count)
select app_id, event_type, hour, change
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[])
  with ordinality as added (app_id, event_type, hour, change, place)
order by place
on conflict (app_id, event_type, hour) do update
set count = bucket.count + excluded.count
"""


async def cover(tx: Transaction, covered: Collection[Covered]) -> None:
    """Note which positions of the lanes are counted; ranges that meet become one."""
    rows = sorted(covered, key=lambda one: (one.lane, one.first))
    await tx.execute(
        _COVER, [one.lane for one in rows], [one.first for one in rows], [one.last for one in rows]
    )


_COVER = """
insert into lane_position as known (lane, covered)
select lane, range_agg(int8range(first, last, '[]')) + int8multirange(int8range(0, 0, '[]'))
from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as handled (lane, first, last)
group by lane
order by lane
on conflict (lane) do update
set covered = known.covered + excluded.covered
"""


async def positions(connection: Connection) -> dict[int, int]:
    """Up to which position each lane is counted without a hole."""
    return {row["lane"]: row["position"] for row in await connection.fetch(_POSITIONS)}


_POSITIONS = """
select lane, upper(part) - 1 as position
from lane_position, unnest(covered) as part
where part @> 0::bigint
"""


async def park(tx: Transaction, *, message_id: str, event_type: str, reason: str, body: bytes) -> None:
    """Keep an event that could not be counted, with the reason."""
    await tx.execute(_PARK, message_id.replace("\0", ""), event_type.replace("\0", ""), reason, body)


_PARK = """
insert into parked_event as known (message_id, event_type, reason, body)
values ($1, $2, $3, $4)
on conflict (message_id) do update
set reason = excluded.reason, body = excluded.body, parked_at = now()
"""


async def redactions_followed(connection: Connection) -> int:
    """Up to where the redactions of chat's log were done to the parked events."""
    position: int = await connection.fetchval("select pos from redaction_position")
    return position


async def redact_parked(tx: Transaction, bodies: Mapping[str, bytes], position: int) -> None:
    """Put these bytes, by event id, in the place of what parked events said, and remember the position."""
    await tx.execute(_REDACT_PARKED, list(bodies), list(bodies.values()))
    await tx.execute("update redaction_position set pos = greatest(pos, $1)", position)


# Parked by whatever name: few, and looked through.
_REDACT_PARKED = """
update parked_event
set body = redacted.body
from unnest($1::text[], $2::bytea[]) as redacted (event_id, body)
where position(convert_to(redacted.event_id, 'utf8') in parked_event.body) > 0
"""


async def read_rollups(connection: Connection, *, max_apps: int) -> Rollups:
    """Every total, with the apps beyond the first `max_apps` under `other`."""
    rows = await connection.fetch(_ROLLUPS, max_apps)
    totals = {Total(row["series"], row["app_label"], row["label"]): row["value"] for row in rows}
    return Rollups(totals, await connection.fetchval("select count(*) from app"))


_ROLLUPS = """
with labelled as (
  select app_id, case when row_number() over (order by ordinal) <= $1 then app_id else 'other' end as app_label
  from app
)
select series, app_label, label, sum(value)::bigint as value
from business_total
join labelled using (app_id)
group by series, app_label, label
order by series, app_label, label
"""


async def read_app_totals(connection: Connection, app_id: str) -> list[tuple[str, str, int]]:
    """One app's totals as (series, label, value)."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(_APP_TOTALS, app_id)
    return [(row["series"], row["label"], row["value"]) for row in rows]


_APP_TOTALS = """
select series, label, value
from business_total
where app_id = $1
order by series, label
"""


async def make_partitions(tx: Transaction, *, today: date) -> int:
    """Partitions for every day from which an event may come: as far back as the log reaches, and a week ahead."""
    oldest = today - timedelta(days=DAYS_KEPT)
    return await ensure_partitions(
        tx, PARTITIONED, today=oldest + timedelta(days=1), days_ahead=DAYS_KEPT - 1 + DAYS_AHEAD
    )


async def drop_old_partitions(connection: Connection, *, today: date) -> list[date]:
    """Drop the marks of days that the log does not reach any more; returns these days."""
    async with retention_turn(connection) as is_ours:
        if not is_ours:
            return []
        oldest = today - timedelta(days=DAYS_KEPT)
        dropped = [day for day in await partition_days(connection, PARTITIONED[0]) if day < oldest]
        for day in dropped:
            await drop_partition(connection, PARTITIONED[0], day)
        return dropped
