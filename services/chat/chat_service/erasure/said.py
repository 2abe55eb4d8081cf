"""Steps of an erasure: what the user said, how they reacted, what they voted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from chat_service.channels.store import lock_channel
from chat_service.erasure import rules, store, trace_store
from chat_service.erasure.person import person_of, user_of
from chat_service.erasure.store import Head, Reacted, Written
from chat_service.events.log import Cause, LoggedEvent, append, channel_event
from chat_service.holds.store import is_held
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import Job, NotNow
from chat_service.messages.shadows import only_reader
from chat_service.messages.store import redact_told
from chat_service.polls.actions import withdraw
from chat_service.threads.replying import recount
from chat_service.uploads.link_store import unlink
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message, MessagePurged, tombstone
from chatsdk_contracts.reactions import ReactionChange, ReactionRemoved
from chatsdk_runtime.postgres import Transaction, reading, transaction

# So many messages, with their events, are wiped in some 20 ms, and in twice that when each is in a thread of its own.
_MESSAGES: Final = 30
_CHUNK: Final = 100
_SCANNED: Final = 5_000
_HELD_PAUSE_S: Final = 600.0
# More than anybody makes up; beyond it a name stays in old events of other people's messages.
_MOST_TYPES: Final = 1_000


async def erase_messages(bench: Bench, job: Job) -> Job:
    """Messages of the next channel, a chunk of them; where there is none any more, look for the next channel."""
    if job.options["messages"] == "keep":
        return await bench.save_alone(job.at(rules.next_step("messages")))
    channel_id = job.cursor.get("channel")
    if channel_id is None:
        return await _find_channel(bench, job)
    return await _erase_in(bench, job, ChannelId(channel_id))


async def _find_channel(bench: Bench, job: Job) -> Job:
    user_id, after = user_of(job), job.cursor.get("after", store.FIRST)
    async with reading(bench.pool) as connection:
        scanned = await store.scan_channels(connection, job.app_id, user_id, after=after, limit=_SCANNED)
    up_to = scanned.found or scanned.last
    if up_to is None:
        types = job.cursor.get("types", ())
        return await bench.save_alone(job.at(rules.next_step("messages"), types=types))
    async with transaction(bench.pool) as tx:
        emptied = await store.empty_deleted_channels(tx, job.app_id, user_id, after=after, up_to=up_to)
        cursor = {**job.cursor, "after": up_to}
        if scanned.found is not None:
            cursor |= {"channel": scanned.found, "name": ""}
        return await bench.save(tx, job.counted(channels=emptied).at("messages", **cursor))


async def _erase_in(bench: Bench, job: Job, channel_id: ChannelId) -> Job:
    cause, user_id, types = bench.cause(job), user_of(job), set(job.cursor.get("types", ()))
    async with reading(bench.pool) as connection:
        unerased = await store.find_messages(
            connection, channel_id, user_id, after=job.cursor["name"], limit=_MESSAGES
        )
    async with transaction(bench.pool) as tx:
        head = await store.lock_head(tx, channel_id)
        if await is_held(tx, job.app_id, channel_id, user_id):
            raise NotNow("legal_hold", pause_s=_HELD_PAUSE_S)
        found = await store.fetch_messages(tx, unerased.ids)
        if found:
            types |= await store.custom_types_of(tx, user_id, unerased.ids)
            events = await _redact_told(tx, job, found)
            await unlink(tx, [one.message.id for one in found], cause.now)
            await _write_tombstones(tx, cause, head, channel_id, found)
            job = job.counted(messages=len(found), events=events)
        cursor: dict[str, object] = {"after": channel_id, "types": sorted(types)[:_MOST_TYPES]}
        if unerased.last_name is not None:
            cursor |= {"channel": channel_id, "name": unerased.last_name}
        return await bench.save(tx, job.at("messages", **cursor))


async def _redact_told(tx: Transaction, job: Job, found: Sequence[Written]) -> int:
    event_ids = [event_id for one in found for event_id in one.event_ids]
    bodies = await store.fetch_bodies(tx, event_ids)
    person = person_of(job)
    redacted = {event_id: rules.without(body, person) for event_id, body in bodies.items()}
    changed = {event_id: body for event_id, body in redacted.items() if body is not None}
    if changed:
        await redact_told(tx, changed)
    return len(changed)


async def _write_tombstones(
    tx: Transaction, cause: Cause, head: Head, channel_id: ChannelId, found: Sequence[Written]
) -> None:
    cv = head.cv
    gone: list[Message] = []
    events: list[LoggedEvent] = []
    for one in found:
        # What was purged before is told already, and nobody is told of what is deleted with its channel, or was not sent.
        is_told = one.message.status == "sent" and not one.is_purged and not head.is_deleted
        cv += is_told
        message = _tombstone(one.message, cause, cv if is_told else one.message.cv)
        gone.append(message)
        if is_told:
            only_for = only_reader(message)
            events.append(channel_event(MessagePurged, cause, channel_id, cv, message, only_for=only_for))
    await store.erase_messages(tx, gone, cause.now)
    if events:
        await store.write_cv(tx, channel_id, cv)
        await append(tx, events)
    if not head.is_deleted:
        await _count_out(tx, cause, [one.message for one in found if one.message.deleted_at is None])


async def _count_out(tx: Transaction, cause: Cause, replies: Sequence[Message]) -> None:
    """Their threads have so many replies fewer; what was not sent, or only its author saw, never counted."""
    by_thread: dict[MessageId, list[Message]] = {}
    for reply in replies:
        if reply.parent_id is not None and reply.thread_seq is not None:
            by_thread.setdefault(reply.parent_id, []).append(reply)
    for gone in by_thread.values():
        await recount(tx, cause, gone[0], -len(gone))


def _tombstone(message: Message, cause: Cause, cv: int) -> Message:
    at, by = message.deleted_at or cause.now, message.deleted_by
    gone = tombstone(message, deleted_at=at, deleted_by=by, cv=cv)
    name = rules.own_name(message.id)
    return gone.model_copy(update={"updated_at": cause.now, "client_msg_id": name})


async def erase_reactions(bench: Bench, job: Job) -> Job:
    """Reactions of the user in one channel, a chunk of them."""
    user_id = user_of(job)
    async with reading(bench.pool) as connection:
        channel_id = await store.next_reacted_channel(connection, job.app_id, user_id)
        types = set(job.cursor.get("types", ()))
        if channel_id is None:
            # What nobody else uses is a word of this user's.
            types -= await store.types_in_use(connection, job.app_id, types)
    if channel_id is None:
        return await bench.save_alone(job.at(rules.next_step("reactions"), types=sorted(types)))
    cause = bench.cause(job)
    async with transaction(bench.pool) as tx:
        head = await store.lock_head(tx, channel_id)
        found = await store.reactions_of(tx, job.app_id, user_id, channel_id, limit=_CHUNK)
        if found:
            await _take_back(tx, cause, head, channel_id, user_id, found)
        types |= rules.custom_types([one.type for one in found])
        job = job.counted(reactions=len(found)).at("reactions", types=sorted(types)[:_MOST_TYPES])
        return await bench.save(tx, job)


async def _take_back(
    tx: Transaction,
    cause: Cause,
    head: Head,
    channel_id: ChannelId,
    user_id: UserId,
    found: Sequence[Reacted],
) -> None:
    cv = head.cv
    counted: dict[MessageId, tuple[Mapping[str, int], int]] = {}
    events: list[LoggedEvent] = []
    for one in found:
        if one.counts is None or head.is_deleted:
            continue
        before = counted[one.message_id][0] if one.message_id in counted else one.counts
        cv += 1
        after = {
            name: count - (name == one.type) for name, count in before.items() if count > (name == one.type)
        }
        counted[one.message_id] = (after, cv)
        told = ReactionChange(
            message_id=one.message_id, channel_id=channel_id, user_id=user_id, type=one.type, counts=after
        )
        events.append(channel_event(ReactionRemoved, cause, channel_id, cv, told))
    await store.erase_reactions(tx, user_id, found, counted)
    if events:
        await store.write_cv(tx, channel_id, cv)
        await append(tx, events)


async def erase_votes(bench: Bench, job: Job) -> Job:
    """One vote of the user: taken back where the poll is open, made anonymous where it is over."""
    user_id = user_of(job)
    async with reading(bench.pool) as connection:
        poll_id = await trace_store.next_vote(connection, job.app_id, user_id)
        channel_id = None if poll_id is None else await trace_store.channel_of_poll(connection, poll_id)
    if poll_id is None:
        return await bench.save_alone(job.at(rules.next_step("votes"), **job.cursor))
    async with transaction(bench.pool) as tx:
        # A poll that went with its message took its votes along.
        if channel_id is not None and await lock_channel(tx, job.app_id, channel_id) is not None:
            await withdraw(tx, bench.cause(job), poll_id, user_id)
        await trace_store.delete_vote(tx, poll_id, user_id)
        return await bench.save(tx, job.counted(votes=1))
