"""Use cases of imports: announce one, start it when its file is there, see how far it is. The work is `work.py`."""

from __future__ import annotations

from datetime import datetime

from chat_service.imports.errors import ImportNotFound
from chat_service.imports.views import Import, as_shown
from chat_service.jobs import store as jobs
from chat_service.jobs.rules import Job
from chatsdk_contracts.ids import AppId, new_id
from chatsdk_runtime.postgres import Connection, Transaction

# A file that has not arrived by then never will: the job finds none, and says so.
_ARRIVES_WITHIN_S = 86_400.0


async def announce(tx: Transaction, app_id: AppId, now: datetime) -> Job:
    """Write down where the file will be before it is there, so that it is never forgotten."""
    job_id = new_id()
    path = f"imports/{job_id[-2:]}/{job_id}.ndjson"
    job = Job(id=job_id, app_id=app_id, kind="import", created_at=now, file_path=path)
    return await jobs.insert(tx, job, delay_s=_ARRIVES_WITHIN_S)


async def start(tx: Transaction, job: Job, size: int) -> Import:
    """The file is there: read it."""
    return as_shown(await jobs.start(tx, job.id, size))


async def get_import(connection: Connection, app_id: AppId, import_id: str | None) -> Import:
    """How far an import is.

    Raises:
        ImportNotFound: the app has none by this id.
    """
    job = None if import_id is None else await jobs.fetch(connection, app_id, "import", import_id)
    if job is None:
        raise ImportNotFound
    return as_shown(job)
