"""SQL of jobs. Leases are judged by the database's clock; who lost one writes nothing any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from chat_service.jobs.rules import Job, JobKind
from chatsdk_contracts.ids import AppId, ChannelId
from chatsdk_runtime.postgres import Connection, Row, Transaction


class LeaseLost(Exception):
    """Another replica has taken the job over, or it was deleted."""


async def insert(tx: Transaction, job: Job, *, delay_s: float = 0.0) -> Job:
    """Write a job down; the one that does the same already, if there is one."""
    row = await tx.fetchrow(
        _INSERT,
        UUID(job.id),
        UUID(job.app_id),
        job.kind,
        job.user_id,
        None if job.channel_id is None else UUID(job.channel_id),
        job.requested_by,
        _json(job.options),
        job.file_path,
        job.file_size,
        job.created_at,
        delay_s,
    )
    if row is None:
        row = await tx.fetchrow(
            _UNFINISHED,
            UUID(job.app_id),
            job.kind,
            job.user_id or "",
            job.channel_id or "",
            job.requested_by or "",
        )
    assert row is not None, "a conflict is with an unfinished job, which nobody finishes while we look"
    return _job(row)


async def start(tx: Transaction, job_id: str, file_size: int) -> Job:
    """What a job waited for is there, so many bytes: it is due."""
    row = await tx.fetchrow(_START, UUID(job_id), file_size)
    assert row is not None, "who announces a job starts it"
    return _job(row)


async def fetch(connection: Connection, app_id: AppId, kind: JobKind, job_id: str) -> Job | None:
    """One job of the app."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), kind, UUID(job_id))
    return None if row is None else _job(row)


async def fetch_newest(connection: Connection, app_id: AppId, kind: JobKind, user_id: str) -> Job | None:
    """The newest job of a kind about a user."""
    row = await connection.fetchrow(_NEWEST, UUID(app_id), kind, user_id)
    return None if row is None else _job(row)


async def claim(
    connection: Connection, holder: UUID, *, kinds: Sequence[JobKind], lease_s: float
) -> Job | None:
    """Take a job that is due and that nobody works on."""
    row = await connection.fetchrow(_CLAIM, holder, lease_s, list(kinds))
    return None if row is None else _job(row)


async def save(tx: Transaction, job: Job, *, lease_s: float) -> None:
    """Write how far a job is, in the transaction that did it, and go on holding it.

    Raises:
        LeaseLost: it is not ours any more; the transaction must not commit.
    """
    saved = await tx.fetchval(
        _SAVE,
        UUID(job.id),
        UUID(job.holder),
        lease_s,
        job.state,
        job.step,
        _json(job.cursor),
        _json(job.counts),
        _json(list(job.problems)),
        job.file_path,
        job.file_size,
        job.finished_at,
        job.expires_at,
    )
    if saved is None:
        raise LeaseLost


async def renew(connection: Connection, job: Job, *, lease_s: float) -> None:
    """Go on holding a job.

    Raises:
        LeaseLost: it is not ours any more.
    """
    if await connection.fetchval(_RENEW, UUID(job.id), UUID(job.holder), lease_s) is None:
        raise LeaseLost


async def put_back(connection: Connection, job: Job, *, pause_s: float, failed: bool, given_up: bool) -> None:
    """Let go of a job: it is due again after a pause, or never when it is given up."""
    await connection.execute(_PUT_BACK, UUID(job.id), UUID(job.holder), pause_s, failed, given_up)


async def expired(connection: Connection, *, limit: int) -> list[Job]:
    """Jobs whose file has had its time."""
    return [_job(row) for row in await connection.fetch(_EXPIRED, limit)]


async def forget_file(tx: Transaction, job_id: str) -> None:
    """The job's file is gone."""
    await tx.execute("update job set file_path = null where id = $1", UUID(job_id))


async def forget_old(connection: Connection, *, before: datetime) -> None:
    """Delete exports and imports that ended before then and have no file any more; erasures are kept as a proof."""
    await connection.execute(_FORGET_OLD, before)


async def telling(connection: Connection, app_id: AppId, user_id: str) -> list[Job]:
    """Exports that hold something of a user: theirs, those they asked for, those of channels in which they wrote."""
    return [_job(row) for row in await connection.fetch(_TELLING, UUID(app_id), user_id)]


async def delete(tx: Transaction, job_id: str) -> None:
    """Forget a job."""
    await tx.execute("delete from job where id = $1", UUID(job_id))


def _json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return orjson.dumps(value).decode()


def _job(row: Row) -> Job:
    return Job(
        id=str(row["id"]),
        app_id=AppId(str(row["app_id"])),
        kind=row["kind"],
        created_at=row["created_at"],
        user_id=row["user_id"],
        channel_id=None if row["channel_id"] is None else ChannelId(str(row["channel_id"])),
        requested_by=row["requested_by"],
        options=orjson.loads(row["options"]),
        state=row["state"],
        step=row["step"],
        cursor=orjson.loads(row["cursor"]),
        counts=orjson.loads(row["counts"]),
        problems=orjson.loads(row["problems"]),
        file_path=row["file_path"],
        file_size=row["file_size"],
        finished_at=row["finished_at"],
        expires_at=row["expires_at"],
        failures=row["failures"],
        holder="" if row["lease_by"] is None else str(row["lease_by"]),
    )


_INSERT = """
insert into job (
  id, app_id, kind, user_id, channel_id, requested_by, options, file_path, file_size, created_at, run_after
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + make_interval(secs => $11))
on conflict do nothing
returning *
"""

_START = "update job set file_size = $2, run_after = now() where id = $1 returning *"

_UNFINISHED = """
select *
from job
where app_id = $1 and kind = $2 and coalesce(user_id, '') = $3 and coalesce(channel_id::text, '') = $4
  and coalesce(requested_by, '') = $5 and state in ('waiting', 'running')
"""

_FETCH = "select * from job where app_id = $1 and kind = $2 and id = $3"

_NEWEST = """
select *
from job
where app_id = $1 and kind = $2 and user_id = $3
order by created_at desc, id desc
limit 1
"""

_CLAIM = """
update job
set state = 'running', lease_by = $1, lease_until = now() + make_interval(secs => $2)
where id = (
  select id
  from job
  where state in ('waiting', 'running') and run_after <= now() and (lease_until is null or lease_until < now())
    and kind = any($3::text[])
  order by run_after, id
  limit 1
  for update skip locked
)
returning *
"""

_SAVE = """
update job
set state = $4, step = $5, cursor = $6, counts = $7, problems = $8, file_path = $9, file_size = $10,
  finished_at = $11, expires_at = $12, failures = 0,
  lease_until = case when $4 = 'running' then now() + make_interval(secs => $3) end
where id = $1 and lease_by = $2
returning id
"""

_RENEW = """
update job
set lease_until = now() + make_interval(secs => $3)
where id = $1 and lease_by = $2
returning id
"""

_PUT_BACK = """
update job
set lease_by = null, lease_until = null, run_after = now() + make_interval(secs => $3),
  failures = failures + case when $4 then 1 else 0 end,
  state = case when $5 then 'failed' else 'waiting' end, finished_at = case when $5 then now() end,
  cursor = case when $5 then '{}' else cursor end
where id = $1 and lease_by = $2
"""

_EXPIRED = """
select *
from job
where file_path is not null and expires_at <= now()
order by expires_at
limit $1
"""

_FORGET_OLD = "delete from job where kind <> 'erase' and file_path is null and finished_at < $1"

_TELLING = """
select *
from job
where app_id = $1 and kind = 'export'
  and (
    user_id = $2 or requested_by = $2
    or exists (select from message where message.channel_id = job.channel_id and message.user_id = $2)
  )
order by id
"""
