"""The import itself: read and write piece by piece, place messages in the order of time, index them, tell the members.

Nothing of an import is an event but one `channel.updated` for each channel that it changed: with it, every client
loads the channel anew. Each chunk saves how far it came in its own transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final
from uuid import UUID

from chat_service.channels.store import lock_channel, update_members
from chat_service.events.log import append, channel_event
from chat_service.imports import place_store, rules, store
from chat_service.imports.applying import Piece
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import Job
from chat_service.search.indexer import index_messages
from chatsdk_contracts.channels import ChangedChannel, ChannelUpdated
from chatsdk_runtime.postgres import reading, transaction

_PIECE_BYTES: Final = 1024 * 1024
# So many lines are written, and so many messages placed, in some 20 ms.
_LINES: Final = 200
_MESSAGES: Final = 200


async def advance(bench: Bench, job: Job) -> Job:
    """Do the next chunk of an import."""
    if not job.step:
        return await bench.save_alone(job.at("read", offset=0, line=1))
    return await _OF_STEP[job.step](bench, job)


async def _read(bench: Bench, job: Job) -> Job:
    offset, number, size = job.cursor["offset"], job.cursor["line"], job.file_size or 0
    if offset >= size:
        return await bench.save_alone(job.at("place"))
    end = min(offset + _PIECE_BYTES, size)
    parts = await bench.objects.read(job.file_path or "", offset, end)
    piece = b"" if parts is None else b"".join([part async for part in parts])
    if not piece:
        lost = rules.Problem(number, "", "file_lost", "the file is not in the object store", "Send it again.")
        return await bench.save_alone(_with(job, [lost]).at("place"))
    read = rules.read_piece(piece, offset=offset, number=number, is_last=end == size, most_lines=_LINES)
    async with transaction(bench.pool) as tx:
        applied = await Piece(tx, job.app_id, job.id, bench.cause(job).now).write(read.lines)
        job = _with(job, [*read.problems, *applied.problems])
        job = job.counted(lines=read.number - number, passed_over=read.passed_over, **applied.counts)
        return await bench.save(tx, job.at("read", offset=read.offset, line=read.number))


def _with(job: Job, problems: list[rules.Problem]) -> Job:
    """The job with more lines refused: all are counted, the first ones kept."""
    room = max(0, rules.MOST_PROBLEMS - len(job.problems))
    in_order = sorted(problems, key=lambda problem: problem.line)
    kept = [*job.problems, *(problem.shown() for problem in in_order[:room])]
    return replace(job.counted(refused=len(problems)), problems=kept)


async def _place(bench: Bench, job: Job) -> Job:
    async with reading(bench.pool) as connection:
        channel_id = await place_store.next_waiting_channel(connection, job.id)
    if channel_id is None:
        return await bench.save_alone(job.at("index"))
    async with transaction(bench.pool) as tx:
        stored = await lock_channel(tx, job.app_id, channel_id)
        # A channel that was deleted meanwhile shows nothing to anybody; its messages get their places all the same.
        before = 0 if stored is None else stored.channel.last_seq
        waiting = await place_store.waiting_messages(tx, job.id, channel_id, limit=_MESSAGES)
        placed = rules.place(waiting, before)
        if waiting:
            await store.note_channels(tx, job.id, [UUID(channel_id)])
        await place_store.write_places(tx, job.id, channel_id, placed, before=before)
        if len(waiting) < _MESSAGES:
            await place_store.mark_rest(tx, job.id, channel_id)
        return await bench.save(tx, job)


async def _index(bench: Bench, job: Job) -> Job:
    async with transaction(bench.pool) as tx:
        ids = await place_store.take_placed(tx, job.id, limit=_MESSAGES)
        if not ids:
            return await bench.save(tx, job.at("tell"))
        await index_messages(tx, ids)
        return await bench.save(tx, job)


async def _tell(bench: Bench, job: Job) -> Job:
    async with reading(bench.pool) as connection:
        channel_id = await place_store.next_changed_channel(connection, job.id)
    if channel_id is None:
        return await _finish(bench, job)
    cause = bench.cause(job)
    async with transaction(bench.pool) as tx:
        stored = await lock_channel(tx, job.app_id, channel_id)
        if stored is not None:
            channel = stored.channel.model_copy(update={"cv": stored.channel.cv + 1})
            await update_members(tx, channel.id, cv=channel.cv, member_count=channel.member_count)
            await place_store.reset_members(tx, channel.id, channel.cv)
            changed = ChangedChannel(**dict(channel), changed=["lastSeq", "memberCount", "messageCount"])
            await append(tx, [channel_event(ChannelUpdated, cause, channel.id, channel.cv, changed)])
        await place_store.forget_channel(tx, job.id, channel_id)
        return await bench.save(tx, job)


async def _finish(bench: Bench, job: Job) -> Job:
    if job.file_path is not None:
        await bench.objects.remove(job.file_path)
    return await bench.save_alone(replace(job.done(bench.cause(job).now), file_path=None))


_OF_STEP: Final[Mapping[str, Callable[[Bench, Job], Awaitable[Job]]]] = {
    "read": _read,
    "place": _place,
    "index": _index,
    "tell": _tell,
}
