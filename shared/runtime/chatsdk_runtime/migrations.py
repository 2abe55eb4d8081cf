"""Schema migrations: raw SQL in alembic revisions, run once, before the services, under a lock.

`python -m <service> migrate` is a one-shot job; services only check at start that the schema is at their
head. Revisions are expanding (old code keeps working); what removes something is a later revision named
`*_contract_*`. The migrations use psycopg, because several statements in one string need its simple protocol.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg
import structlog

from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.partitions import ensure_partitions
from chatsdk_runtime.postgres import DATABASE_AWAY, Connection, Pool, connect, reading, transaction_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alembic.config import Config
    from sqlalchemy import Connection as SqlConnection

log = structlog.get_logger()

_SCHEMA_POLL_S = 1.0
_LOCK_KEY = 0x43534B4D  # "CSKM": one migration at a time per database
_LOCK_WAIT = "300s"


async def migrate(dsn: str, package: str, *, partitioned: Sequence[str] = ()) -> str:
    """Bring the database to the head of `package`'s revisions and make its partitions; returns the head."""
    import asyncio

    head = await asyncio.to_thread(_upgrade, dsn, package)
    connection = await connect(dsn, application_name=f"{package}-migrate")
    try:
        async with transaction_on(connection) as tx:
            await ensure_partitions(tx, partitioned, today=datetime.now(UTC).date())
    finally:
        await connection.close()
    return head


async def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first migration."""
    try:
        revision: str | None = await connection.fetchval("select version_num from alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return revision


def head_revision(package: str) -> str:
    """The newest revision that this code brings; by the file names, which start with the revision."""
    versions = files(package).joinpath("migrations").joinpath("versions")
    return max(entry.name.split("_", 1)[0] for entry in versions.iterdir() if entry.name[:1].isdigit())


async def schema_problem(pool: Pool, package: str) -> str | None:
    """What is wrong with the database's schema for this code; None when it will do.

    A newer schema will: migrations expand, so that old replicas run beside new ones during an upgrade.
    """
    async with reading(pool) as connection:
        revision = await current_revision(connection)
    head = head_revision(package)
    if revision is None or revision < head:
        return f"the schema is at {revision or 'nothing'}, this code needs {head}: run `python -m {package} migrate`"
    return None


async def until_schema_is_there(pool: Pool, package: str, heartbeat: Heartbeat | None = None) -> None:
    """Wait for the database and for its migration: a service may be started before either."""
    while True:
        try:
            problem = await schema_problem(pool, package)
        except DATABASE_AWAY as outage:
            problem = f"{type(outage).__name__}: {outage}"
        if problem is None:
            return
        if heartbeat is not None:
            heartbeat.beat()
        log.info("waiting_for_schema", reason=problem)
        await asyncio.sleep(_SCHEMA_POLL_S)


def read_sql(package: str, name: str) -> str:
    """The SQL text beside a revision; a revision's `upgrade` is `op.execute(read_sql(...))`."""
    return files(package).joinpath("migrations").joinpath("versions").joinpath(name).read_text("utf-8")


def run_environment() -> None:
    """What each service's `migrations/env.py` calls: run the revisions on the connection that we opened."""
    from alembic import context

    connection: SqlConnection = context.config.attributes["connection"]
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


def _upgrade(dsn: str, package: str) -> str:
    # Imported here: services check their revision without paying for SQLAlchemy at start.
    import sqlalchemy
    from alembic import command

    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(dsn).set(drivername="postgresql+psycopg"), poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"set lock_timeout = '{_LOCK_WAIT}'"))
        connection.execute(sqlalchemy.text(f"select pg_advisory_lock({_LOCK_KEY})"))
        connection.commit()
        try:
            config = _config(package)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(sqlalchemy.text(f"select pg_advisory_unlock({_LOCK_KEY})"))
            connection.commit()
    engine.dispose()
    return head_revision(package)


def _config(package: str) -> Config:
    from alembic.config import Config

    config = Config()
    # alembic interpolates `%` in option values; a clone's path may hold one.
    config.set_main_option("script_location", str(files(package).joinpath("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
