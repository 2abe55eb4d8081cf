"""Daily range partitions by the UTC day inside a UUIDv7 key.

One day is one partition of each table, so retention is a drop and not a delete. The bounds are UUIDs whose
first 48 bits are that day's midnight in milliseconds. There is no default partition: a row for a day that
has none is an error that somebody sees, not a row that nobody finds.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

from chatsdk_contracts.wire import to_epoch_ms
from chatsdk_runtime.postgres import Connection, Transaction

DAYS_AHEAD = 7
_NAME = re.compile(r"^[a-z_]+_y(\d{4})m(\d{2})d(\d{2})$")
_LOCK_KEY = 0x43534B50  # "CSKP": replicas take turns at making partitions
_RETENTION_LOCK = 0x43534B52  # "CSKR"


def day_bound(day: date) -> uuid.UUID:
    """The smallest UUIDv7 key of that UTC day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return uuid.UUID(int=to_epoch_ms(midnight) << 80)


def partition_name(table: str, day: date) -> str:
    """`event_y2026m11d23`."""
    return f"{table}_y{day:%Y}m{day:%m}d{day:%d}"


async def ensure_partitions(
    tx: Transaction, tables: Sequence[str], *, today: date, days_ahead: int = DAYS_AHEAD
) -> int:
    """Make what is missing from yesterday (clocks differ) to `days_ahead`; returns how many were made."""
    await tx.execute("select pg_advisory_xact_lock($1)", _LOCK_KEY)
    present = {row["relname"] for row in await tx.fetch(_PARTITIONS_OF, list(tables))}
    made = 0
    for table in tables:
        for offset in range(-1, days_ahead + 1):
            day = today + timedelta(days=offset)
            name = partition_name(table, day)
            if name in present:
                continue
            low, high = day_bound(day), day_bound(day + timedelta(days=1))
            await tx.execute(
                f"create table {name} partition of {table} for values from ('{low}') to ('{high}')"
            )
            made += 1
    return made


async def partition_days(connection: Connection, table: str) -> list[date]:
    """The days that have a partition, oldest first; also one whose dropping ended halfway."""
    days = []
    for row in await connection.fetch(_DAY_TABLES, f"^{table}_y[0-9]{{4}}m[0-9]{{2}}d[0-9]{{2}}$"):
        match = _NAME.match(row["relname"])
        if match:
            year, month, day = (int(part) for part in match.groups())
            days.append(date(year, month, day))
    return sorted(days)


async def drop_partition(connection: Connection, table: str, day: date) -> None:
    """Detach without blocking readers or writers, then drop. Not inside a transaction.

    Goes on where an earlier call was interrupted: nothing is left to do by hand.
    """
    name = partition_name(table, day)
    is_detaching = await connection.fetchval(_IS_DETACHING, name)
    if is_detaching is not None:
        how = "finalize" if is_detaching else "concurrently"
        await connection.execute(f"alter table {table} detach partition {name} {how}")
    await connection.execute(f"drop table if exists {name}")


@asynccontextmanager
async def retention_turn(connection: Connection) -> AsyncIterator[bool]:
    """Whether this replica may drop partitions now: replicas that meet would stumble over each other."""
    is_ours: bool = await connection.fetchval("select pg_try_advisory_lock($1)", _RETENTION_LOCK)
    try:
        yield is_ours
    finally:
        if is_ours:
            await connection.execute("select pg_advisory_unlock($1)", _RETENTION_LOCK)


_PARTITIONS_OF = """
select child.relname
from pg_inherits
join pg_class parent on parent.oid = pg_inherits.inhparent
join pg_class child on child.oid = pg_inherits.inhrelid
where parent.relname = any($1::text[])
  and parent.relnamespace = current_schema()::regnamespace
"""

_DAY_TABLES = """
select relname
from pg_class
where relname ~ $1
  and relkind = 'r'
  and relnamespace = current_schema()::regnamespace
"""

# Null for a table that is no partition (any more).
_IS_DETACHING = "select inhdetachpending from pg_inherits where inhrelid = to_regclass($1)"
