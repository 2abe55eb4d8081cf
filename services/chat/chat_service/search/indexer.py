"""The index, kept beside the log: what the log says has changed is read anew from the messages and written here.

A send pays nothing for search. One replica indexes at a time (an advisory lock for the length of a step); positions
move in the transaction that writes, so that nothing is left out or has to be undone after a crash. It matters not how
often an event is taken: a message is indexed as it is now, or taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from uuid import UUID

import orjson
import structlog

from chat_service.instruments import SearchInstruments
from chat_service.search import index_store
from chat_service.search.index_store import IndexRow, LaneBehind, LiveMessage, LogEntry
from chat_service.search.store import app_key, author_key, channel_key, files_key
from chat_service.search.words import vector_of, words_of
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Connection, Pool, Transaction, reading, transaction, transaction_on

log = structlog.get_logger()

_POLL_S = 0.2
_PER_LANE = 250
_CHUNK = 1_000
_FIRST = UUID(int=0)
# Each names one message in `data.id`.
_ABOUT_MESSAGES = (
    "message.new",
    "message.updated",
    "message.undeleted",
    "message.deleted",
    "message.purged",
)
# Each may change many messages at once that have no event of their own.
_ABOUT_CHANNELS = ("channel.deleted", "channel.truncated")
_ABOUT_USERS = ("user.erased",)


async def index_log(pool: Pool, instruments: SearchInstruments, heartbeat: Heartbeat) -> None:
    """Follow the log for as long as the database answers."""
    while True:
        heartbeat.beat()
        async with reading(pool) as connection:
            lanes = await index_store.lanes_behind(connection)
        instruments.backlog.set(sum(lane.head - lane.pos for lane in lanes))
        if lanes:
            async with transaction(pool) as tx:
                indexed = await index_step(tx)
            instruments.indexed.inc(indexed)
            if indexed >= _PER_LANE:
                continue
        # Also when there was something: a few large steps a second cost much less than many small ones.
        await asyncio.sleep(_POLL_S)


async def index_step(tx: Transaction) -> int:
    """Take the next events of every lane; returns how many. None while another replica indexes."""
    if not await index_store.try_to_lead(tx):
        return 0
    lanes = await index_store.lanes_behind(tx)
    entries = await index_store.read_log(tx, lanes, _PER_LANE, _ABOUT_MESSAGES)
    _report_gaps(lanes, entries)
    ids = {UUID(orjson.loads(entry.body)["data"]["id"]) for entry in entries if entry.body is not None}
    await _refresh(tx, list(ids))
    for scope in {scope for entry in entries if (scope := _swept_scope(entry)) is not None}:
        async for chunk in _chunks(partial(_in_scope, tx, scope)):
            await _refresh(tx, chunk)
    await index_store.move_positions(tx, _reached(lanes, entries))
    return len(entries)


async def index_messages(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Index messages of which no event tells, once whoever indexes just now is done with its step."""
    await index_store.wait_to_lead(tx)
    await _refresh(tx, ids)


async def rebuild(connection: Connection) -> int:
    """Index every message anew, and drop what belongs to none; returns how many messages were read.

    Positions stay: what the log says meanwhile is indexed by the service, between the chunks.
    """
    done = 0
    async for chunk in _chunks(
        lambda after: index_store.stored_messages(connection, after=after, limit=_CHUNK)
    ):
        await _refresh_alone(connection, chunk)
        done += len(chunk)
    async for chunk in _chunks(
        lambda after: index_store.indexed_messages(connection, after=after, limit=_CHUNK)
    ):
        await _refresh_alone(connection, chunk)
    return done


async def _refresh_alone(connection: Connection, ids: Sequence[UUID]) -> None:
    async with transaction_on(connection) as tx:
        await index_store.wait_to_lead(tx)
        await _refresh(tx, ids)


async def _refresh(tx: Transaction, ids: Sequence[UUID]) -> None:
    """Make the index say of these messages what they say now."""
    rows = [_index_row(message) for message in await index_store.live_messages(tx, ids)]
    findable = [row for row in rows if row.words]
    gone = set(ids) - {row.message.id for row in findable}
    if findable:
        await index_store.upsert(tx, findable)
    if gone:
        await index_store.remove(tx, list(gone))


def _index_row(message: LiveMessage) -> IndexRow:
    app_id = AppId(str(message.app_id))
    scope = [app_key(app_id), channel_key(message.channel_id), author_key(app_id, UserId(message.user_id))]
    if message.has_attachment:
        scope.append(files_key(app_id))
    return IndexRow(message, vector_of(words_of(message.text)), scope)


def _swept_scope(entry: LogEntry) -> str | None:
    if entry.type in _ABOUT_CHANNELS:
        return entry.subject
    if entry.type in _ABOUT_USERS:
        return author_key(AppId(str(entry.app_id)), UserId(entry.subject.removeprefix("users/")))
    return None


def _reached(lanes: Sequence[LaneBehind], entries: Sequence[LogEntry]) -> dict[int, int]:
    """Up to its last event where a lane filled its share, else up to its head."""
    taken: dict[int, list[int]] = {lane.lane: [] for lane in lanes}
    for entry in entries:
        taken[entry.lane].append(entry.pos)
    return {
        lane.lane: taken[lane.lane][-1] if len(taken[lane.lane]) == _PER_LANE else lane.head for lane in lanes
    }


def _report_gaps(lanes: Sequence[LaneBehind], entries: Sequence[LogEntry]) -> None:
    """Days of the log were dropped before they were indexed: an operator has to rebuild."""
    first = {entry.lane: entry.pos for entry in reversed(entries)}
    for lane in lanes:
        if first.get(lane.lane, lane.head + 1) > lane.pos + 1:
            log.error("search_log_gap", lane=lane.lane, after=lane.pos, remedy="chatsdk-admin search rebuild")


async def _in_scope(tx: Transaction, scope: str, after: UUID) -> list[UUID]:
    return await index_store.indexed_in(tx, scope, after=after, limit=_CHUNK)


async def _chunks(page: Callable[[UUID], Awaitable[list[UUID]]]) -> AsyncIterator[list[UUID]]:
    """Ids in pages, each behind the last of the one before."""
    after = _FIRST
    while ids := await page(after):
        yield ids
        after = ids[-1]
