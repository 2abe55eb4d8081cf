"""Whose erasure a job is."""

from __future__ import annotations

from chat_service.erasure.rules import Person
from chat_service.jobs.rules import Job
from chatsdk_contracts.ids import UserId


def user_of(job: Job) -> UserId:
    """Who is erased."""
    assert job.user_id is not None, "an erasure is of a user"
    return job.user_id


def person_of(job: Job) -> Person:
    """The same with what the job knows to be theirs."""
    return Person(
        user_of(job), words=job.options["messages"], reactions=frozenset(job.cursor.get("types", ()))
    )
