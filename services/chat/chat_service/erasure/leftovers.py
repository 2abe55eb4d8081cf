"""Steps of an erasure: files, lists and results of calls, the event log; and the event that says it is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import UUID

import orjson

from chat_service.erasure import rules, store, trace_store
from chat_service.erasure.person import person_of, user_of
from chat_service.events.log import append, user_event
from chat_service.jobs import store as jobs
from chat_service.jobs.bench import Bench, now
from chat_service.jobs.rules import Job
from chat_service.messages.store import redact_told
from chat_service.uploads.cleanup import remove
from chat_service.users.store import lock_users
from chatsdk_contracts.ids import new_id
from chatsdk_contracts.users import ErasedUser, UserErased
from chatsdk_runtime.postgres import reading, transaction

_FILES: Final = 20
_ROWS: Final = 500
_EVENTS: Final = 2_000


async def remove_uploads(bench: Bench, job: Job) -> Job:
    """Some files, with their objects; of a user whose messages stay, those that no message shows."""
    user_id, after = user_of(job), job.cursor.get("after", store.FIRST)
    types, keeps = job.cursor.get("types", ()), job.options["messages"] == "keep"
    async with reading(bench.pool) as connection:
        found = await trace_store.uploads_of(
            connection, job.app_id, user_id, after=after, unlinked_only=keeps, limit=_FILES
        )
    for upload_id in found:
        async with transaction(bench.pool) as tx:
            await trace_store.mark_upload(tx, upload_id)
        await remove(bench.pool, bench.objects, upload_id, now())
    job = job.counted(uploads=len(found))
    if not found:
        return await bench.save_alone(job.at(rules.next_step("uploads"), types=types))
    return await bench.save_alone(job.at("uploads", types=types, after=found[-1]))


async def delete_traces(bench: Bench, job: Job) -> Job:
    """Rows that are the user's own, some of each kind; and exports that hold something of the user."""
    user_id = user_of(job)
    async with reading(bench.pool) as connection:
        exports = await jobs.telling(connection, job.app_id, user_id)
    for export in exports:
        if export.file_path is not None:
            await bench.objects.remove(export.file_path)
        async with transaction(bench.pool) as tx:
            await jobs.delete(tx, export.id)
    async with transaction(bench.pool) as tx:
        gone = await trace_store.erase_traces(tx, job.app_id, user_id, limit=_ROWS)
        job = job.counted(**gone, exports=len(exports))
        if max(gone.values()) == _ROWS:
            return await bench.save(tx, job)
        # Ids go with the clock: what is written from now on tells nothing of the user any more.
        return await bench.save(tx, job.at(rules.next_step("traces"), **job.cursor, until=new_id()))


async def redact_log(bench: Bench, job: Job) -> Job:
    """The next events of the log, without what is the user's in them."""
    cursor, person = job.cursor, person_of(job)
    needles = [orjson.dumps(name) for name in (person.user_id, *sorted(person.reactions))]
    async with reading(bench.pool) as connection:
        part = await store.read_log(
            connection,
            job.app_id,
            needles,
            after=cursor.get("after", store.FIRST),
            until=cursor["until"],
            limit=_EVENTS,
        )
        bodies = part.bodies.values()
        votes = await store.written_by(connection, person.user_id, rules.message_ids_of_votes(bodies))
        emptied = await store.emptied_places(connection, job.app_id, person.user_id, rules.places_of(bodies))
    if part.last is None:
        return await bench.save_alone(job.at(rules.next_step("log")))
    person = replace(person, messages=votes, places=emptied)
    redacted: dict[UUID, bytes] = {}
    for event_id, body in part.bodies.items():
        if (without := rules.without(body, person)) is not None:
            redacted[event_id] = without
    async with transaction(bench.pool) as tx:
        if redacted:
            await redact_told(tx, redacted)
        job = job.counted(events=len(redacted)).at("log", **{**cursor, "after": part.last})
        return await bench.save(tx, job)


async def tell(bench: Bench, job: Job) -> Job:
    """Say that the user is erased: who keeps copies drops them."""
    cause = bench.cause(job)
    async with transaction(bench.pool) as tx:
        [user] = await lock_users(tx, job.app_id, [user_of(job)])
        erased = replace(user, version=user.version + 1)
        await trace_store.write_version(tx, job.app_id, erased)
        data = ErasedUser(id=erased.id, erased_at=cause.now)
        await append(tx, [user_event(UserErased, cause, erased.id, erased.version, data)])
        return await bench.save(tx, job.done(cause.now))
