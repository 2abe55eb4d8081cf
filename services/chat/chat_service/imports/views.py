"""An import as it is shown."""

from __future__ import annotations

from chat_service.jobs.rules import Job, JobState
from chatsdk_contracts.wire import Timestamp, WireModel


class LineProblem(WireModel):
    """Why a line was not taken."""

    line: int
    path: str
    code: str
    message: str
    hint: str | None = None


class Import(WireModel):
    """How far an import is. `counts` are whole; of the refused lines the first hundred are in `errors`."""

    id: str
    status: JobState
    step: str | None
    counts: dict[str, int]
    errors: list[LineProblem]
    size: int | None
    created_at: Timestamp
    finished_at: Timestamp | None


def as_shown(job: Job) -> Import:
    """The job as its owner sees it."""
    return Import(
        id=job.id,
        status=job.state,
        step=job.step or None,
        counts=dict(job.counts),
        errors=[LineProblem(**problem) for problem in job.problems],
        size=job.file_size,
        created_at=job.created_at,
        finished_at=job.finished_at,
    )
