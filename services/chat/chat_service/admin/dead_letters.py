"""The dead-letter queues: count, look, send back to work, throw away.

A message is acknowledged only after the broker confirmed its copy in the work queue: a command that dies in
between leaves it in both, and the consumer drops the repeat.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import ChannelNotFoundEntity

from chat_service.admin.problems import OperatorProblem
from chatsdk_contracts.topology import WORK_QUEUES, dead_letter_queue
from chatsdk_runtime.rabbit import open_connection

# What the broker wrote when it dead-lettered the message; not the publisher's.
_BROKER_HEADERS = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A dead-letter queue and how much lies in it; None: it was never declared."""

    queue: str
    waiting: int | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message, as shown to an operator."""

    id: str | None
    type: str | None
    reason: str
    body: bytes


@asynccontextmanager
async def broker_channel(url: str) -> AsyncIterator[AbstractChannel]:
    """A confirmed channel on a connection of its own."""
    connection = await open_connection(url, name="chatsdk-admin")
    async with connection:
        yield await connection.channel(publisher_confirms=True, on_return_raises=True)


async def count(url: str) -> Sequence[DeadLetters]:
    """Every work queue's dead letters."""
    found: list[DeadLetters] = []
    for queue in WORK_QUEUES:
        async with broker_channel(url) as channel:
            try:
                declared = await channel.declare_queue(dead_letter_queue(queue.name), passive=True)
            except ChannelNotFoundEntity:
                found.append(DeadLetters(queue.name, None))
            else:
                found.append(DeadLetters(queue.name, declared.declaration_result.message_count))
    return found


async def show(channel: AbstractChannel, queue: str, limit: int) -> Sequence[DeadLetter]:
    """The first of a queue's dead letters; they go back to their places when the channel closes.

    A quorum queue would put messages that are rejected one by one behind all others.
    """
    dead = await _dead_queue(channel, queue)
    return [_shown(message) async for message in _take(dead, limit)]


async def requeue(channel: AbstractChannel, queue: str, limit: int | None) -> int:
    """Put dead letters back into their work queue, unchanged; returns how many."""
    dead = await _dead_queue(channel, queue)
    done = 0
    # Counted beforehand: what comes back at once is not sent round for ever.
    async for message in _take(dead, _bound(dead, limit)):
        await channel.default_exchange.publish(_copy(message), routing_key=queue, mandatory=True)
        await message.ack()
        done += 1
    return done


async def discard(channel: AbstractChannel, queue: str, limit: int | None) -> Sequence[DeadLetter]:
    """Throw dead letters away; returns what they were."""
    dead = await _dead_queue(channel, queue)
    gone: list[DeadLetter] = []
    async for message in _take(dead, _bound(dead, limit)):
        await message.ack()
        gone.append(_shown(message))
    return gone


async def _dead_queue(channel: AbstractChannel, queue: str) -> AbstractQueue:
    known = [work.name for work in WORK_QUEUES]
    if queue not in known:
        raise OperatorProblem(f"no work queue {queue!r}; there are {', '.join(known)}")
    try:
        return await channel.declare_queue(dead_letter_queue(queue), passive=True)
    except ChannelNotFoundEntity:
        raise OperatorProblem(f"{dead_letter_queue(queue)} was not declared yet: start chat once") from None


def _bound(dead: AbstractQueue, limit: int | None) -> int:
    waiting = dead.declaration_result.message_count or 0
    return waiting if limit is None else min(limit, waiting)


async def _take(dead: AbstractQueue, limit: int) -> AsyncIterator[AbstractIncomingMessage]:
    for _ in range(limit):
        message = await dead.get(no_ack=False, fail=False)
        if message is None:
            return
        yield message


def _copy(message: AbstractIncomingMessage) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        headers={
            name: value for name, value in message.headers.items() if not name.startswith(_BROKER_HEADERS)
        },
        content_type=message.content_type,
        message_id=message.message_id,
        type=message.type,
        app_id=message.app_id,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def _shown(message: AbstractIncomingMessage) -> DeadLetter:
    reason = message.headers.get("x-first-death-reason")
    return DeadLetter(message.message_id, message.type, str(reason or "unknown"), message.body)
