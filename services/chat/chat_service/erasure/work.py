"""The erasing itself: step after step, each in chunks that hold a channel for some milliseconds.

Every chunk deletes what it finds and saves how far it came in the same transaction. A chunk that is done twice finds
nothing the second time, so that a process may die at any point.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from chat_service.erasure import leftovers, places, said
from chat_service.erasure.rules import STEPS
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import Job


async def advance(bench: Bench, job: Job) -> Job:
    """Do the next chunk of an erasure."""
    if not job.step:
        return await bench.save_alone(job.at(STEPS[0]))
    return await _OF_STEP[job.step](bench, job)


_OF_STEP: Final[Mapping[str, Callable[[Bench, Job], Awaitable[Job]]]] = {
    "messages": said.erase_messages,
    "reactions": said.erase_reactions,
    "votes": said.erase_votes,
    "channels": places.leave_channels,
    "workspaces": places.leave_workspaces,
    "uploads": leftovers.remove_uploads,
    "traces": leftovers.delete_traces,
    "log": leftovers.redact_log,
    "told": leftovers.tell,
}
