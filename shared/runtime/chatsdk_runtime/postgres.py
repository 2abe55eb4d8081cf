"""PostgreSQL: pools with safe settings, and a type that says "you are in a transaction".

`transaction(pool)` is the only maker of a `Transaction`; every writing store function demands one, so that
"the event is written with the change" is checked by the type checker. Reads take a `Connection`; a
`Transaction` is one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NewType, TypeAlias, cast

import asyncpg

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Row: TypeAlias = asyncpg.Record
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool
    Row = asyncpg.Record

Transaction = NewType("Transaction", Connection)

# What a database that is away, restarting, full or contended raises: a normal state, waited out by loops and
# answered 503 by doors. InterfaceError is what asyncpg raises on a connection that is already gone.
DATABASE_AWAY: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # "cannot switch to state": the server said goodbye to a connection that was idle at that moment.
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    # Lost against another transaction: the same again has a good chance.
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)


def is_bad_argument(error: BaseException) -> bool:
    """Whether the driver itself refused a value. It calls that an InterfaceError too, but no waiting helps."""
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)


_SERVER_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "30000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "30000",
    # A planner that starts a compiler for a statement of a millisecond costs more than it saves.
    "jit": "off",
}


async def open_pool(
    dsn: str,
    *,
    application_name: str,
    min_size: int = 2,
    max_size: int = 10,
    connect_timeout_s: float = 5.0,
    server_settings: Mapping[str, str] | None = None,
) -> Pool:
    """A pool whose every connection has time limits and a name that `pg_stat_activity` shows."""
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=connect_timeout_s,
        command_timeout=60.0,
        max_inactive_connection_lifetime=300.0,
        reset=_nothing_to_reset,
        server_settings={**_SERVER_SETTINGS, "application_name": application_name, **(server_settings or {})},
    )


async def _nothing_to_reset(_connection: object) -> None:
    """We leave no session state behind, and asyncpg ends open transactions itself: save a round trip per use."""


async def connect(
    dsn: str,
    *,
    application_name: str,
    connect_timeout_s: float = 5.0,
    server_settings: Mapping[str, str] | None = None,
) -> Connection:
    """A connection of one's own, outside the pool: for the writers, the relay and LISTEN."""
    return await asyncpg.connect(
        dsn,
        timeout=connect_timeout_s,
        command_timeout=60.0,
        server_settings={**_SERVER_SETTINGS, "application_name": application_name, **(server_settings or {})},
    )


# Statements are planned once and not for each of their values: planning ours takes as long as running them.
PLANNED_ONCE: Mapping[str, str] = {"plan_cache_mode": "force_generic_plan"}
_FIRST_REPLAN_S = 1.0
_REPLAN_EVERY_S = 60.0


class Replanning:
    """For a connection with `PLANNED_ONCE`: has its statements planned anew, seldom, by what the tables are then.

    A plan that was made while a table was empty would be kept until its statistics are next gathered, and may scan what
    has grown since. So plans live one second at first, then twice as long each time, up to a minute.
    """

    def __init__(self) -> None:
        self._every_s = _FIRST_REPLAN_S
        self._due_s = time.monotonic() + self._every_s

    async def refresh(self, connection: Connection) -> None:
        """Forget the plans if they are old. Outside a transaction."""
        if time.monotonic() < self._due_s:
            return
        await connection.execute("discard plans")
        self._every_s = min(self._every_s * 2, _REPLAN_EVERY_S)
        self._due_s = time.monotonic() + self._every_s


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Transaction]:
    """A READ COMMITTED transaction on a connection of the pool; commits at the end, rolls back on an error."""
    async with pool.acquire() as connection, connection.transaction():
        yield Transaction(cast("Connection", connection))


@asynccontextmanager
async def transaction_on(connection: Connection) -> AsyncIterator[Transaction]:
    """The same on a connection that the caller owns."""
    async with connection.transaction():
        yield Transaction(connection)


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for statements that each see their own snapshot."""
    async with pool.acquire() as connection:
        yield cast("Connection", connection)


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """A connection whose statements all see the same moment; nothing can be written."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield cast("Connection", connection)


async def database_problem(pool: Pool) -> str | None:
    """A readiness check: the database answers (None), or raises what is wrong."""
    async with reading(pool) as connection:
        await connection.execute("select 1")
    return None
