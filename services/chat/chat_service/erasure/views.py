"""An erasure as it is shown."""

from __future__ import annotations

from chat_service.jobs.rules import Job, JobState
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class Erasure(WireModel):
    """How far the erasing of a user is: `counts` says how much went, by where it was.

    `messages` is what was asked: that what they said goes (redact) or stays under the name of nobody (keep).
    """

    id: str
    user_id: UserId
    messages: str
    status: JobState
    step: str | None
    counts: dict[str, int]
    created_at: Timestamp
    finished_at: Timestamp | None


def as_shown(job: Job) -> Erasure:
    """The job as its owner sees it."""
    assert job.user_id is not None, "an erasure is of a user"
    return Erasure(
        id=job.id,
        user_id=job.user_id,
        messages=job.options["messages"],
        status=job.state,
        step=job.step or None,
        counts={"profile": 1, "invites": job.options["invites"], **job.counts},
        created_at=job.created_at,
        finished_at=job.finished_at,
    )
