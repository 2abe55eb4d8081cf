"""RabbitMQ with every default written down: a publisher that proves, and the topology as data.

Publishing and consuming never share a connection: the broker stops reading from publishers under a memory or
disk alarm, and acknowledgements must still get through. Publishes are persistent, mandatory (a return is an
error, not a value that nobody looks at) and confirmed; confirms are pipelined.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import aiormq
from aio_pika.abc import AbstractConnection
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.frame import marshal
from pamqp.header import ContentHeader

# What a broker that is away, restarting or blocking raises.
BROKER_AWAY: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncio.TimeoutError,
    aiormq.exceptions.AMQPError,
    # A message of a channel that is gone is acknowledged; this one alone is no AMQPError.
    aiormq.exceptions.ChannelInvalidStateError,
)

_PERSISTENT = 2
_TRANSIENT = 1


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message as it goes out; the body is never re-encoded."""

    routing_key: str
    body: bytes
    message_id: str
    type: str
    headers: Mapping[str, Any] = field(default_factory=dict)
    content_type: str = "application/cloudevents+json"
    persistent: bool = True
    expiration_ms: int | None = None


Confirmation = asyncio.Future[Any]


def refusal_of(confirmation: Confirmation) -> str | None:
    """Why the broker did not take a message; None when it did. The answer has to be there."""
    if confirmation.cancelled():
        return "cancelled"
    error = confirmation.exception()
    return None if error is None else f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """How many messages, from the first on, the broker has taken; and why the next one was not."""

    confirmed: int
    failure: str | None = None


class _OwnedConnection(aio_pika.Connection):
    """Closed by whoever opened it. The library's own closes itself from garbage collection, by a task that nobody
    awaits: for a connection that was never made, at any moment later.
    """

    def __del__(self) -> None:
        """Nothing: what was opened is closed where it was opened."""


async def open_connection(url: str, *, name: str, timeout_s: float = 5.0) -> AbstractConnection:
    """Connect, under a name that the broker shows; no reconnection inside."""
    return await aio_pika.connect(
        url,
        timeout=timeout_s,
        client_properties={"connection_name": name},
        connection_class=_OwnedConnection,
    )


class Publisher:
    """A confirmed channel on a connection of its own."""

    def __init__(self, connection: AbstractConnection, channel: Channel, *, confirm_timeout_s: float) -> None:
        self._connection = connection
        self._channel = channel
        self._confirm_timeout_s = confirm_timeout_s

    @classmethod
    async def open(
        cls, url: str, *, name: str, connect_timeout_s: float = 5.0, confirm_timeout_s: float = 10.0
    ) -> Publisher:
        """Connect. No reconnection inside: whoever publishes knows what has to be sent again."""
        connection = await open_connection(url, name=name, timeout_s=connect_timeout_s)
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            underlying = await channel.get_underlay_channel()
        except BaseException:
            await connection.close()
            raise
        assert isinstance(underlying, Channel)
        return cls(connection, underlying, confirm_timeout_s=confirm_timeout_s)

    @property
    def is_open(self) -> bool:
        """Whether publishing can succeed."""
        return not (self._connection.is_closed or self._channel.is_closed)

    @property
    def channel(self) -> Channel:
        """For declaring what must exist before the first publish."""
        return self._channel

    async def publish(
        self, exchange: str, messages: Sequence[OutgoingMessage], *, window: int
    ) -> PublishOutcome:
        """Publish in order, at most `window` unconfirmed; stops after the window in which one was refused.

        The broker may have taken messages behind a refused one: the caller publishes them again, consumers
        drop them by id.
        """
        confirmed = 0
        while confirmed < len(messages):
            part = messages[confirmed : confirmed + window]
            try:
                confirmations = await self.post(exchange, part)
            except BROKER_AWAY as error:
                return PublishOutcome(confirmed, f"{type(error).__name__}: {error}")
            await asyncio.wait(confirmations, timeout=self._confirm_timeout_s)
            for confirmation in confirmations:
                failure = refusal_of(confirmation) if confirmation.done() else "not confirmed in time"
                if failure is not None:
                    return PublishOutcome(confirmed, failure)
                confirmed += 1
        return PublishOutcome(confirmed)

    async def post(self, exchange: str, messages: Sequence[OutgoingMessage]) -> list[Confirmation]:
        """Put messages on the wire, in order and in one write; each future is the broker's answer (`refusal_of`).

        What the library's own publish does for one message, without its task, its timer and its write for each:
        at a third of the cost, and every event pays it.

        Raises:
            BROKER_AWAY: the connection is gone; nothing was sent.
        """
        channel = self._channel
        async with channel.lock:
            payload = b"".join(
                marshal(frame, channel.number)
                for message in messages
                for frame in self._frames(exchange, message)
            )
            await channel.write_queue.put(ChannelFrame(payload, should_close=False))
            # Nothing waits between the writing and this, so no answer comes before its future is there.
            return [self._expect(message.message_id) for message in messages]

    def _frames(
        self, exchange: str, message: OutgoingMessage
    ) -> Iterator[Basic.Publish | ContentHeader | ContentBody]:
        properties = Basic.Properties(
            content_type=message.content_type,
            message_id=message.message_id,
            message_type=message.type,
            app_id="chatsdk",
            headers=dict(message.headers),
            delivery_mode=_PERSISTENT if message.persistent else _TRANSIENT,
            expiration=None if message.expiration_ms is None else str(message.expiration_ms),
        )
        yield Basic.Publish(exchange=exchange, routing_key=message.routing_key, mandatory=message.persistent)
        yield ContentHeader(properties=properties, body_size=len(message.body))
        size = self._channel.max_content_size
        for start in range(0, len(message.body), size):
            yield ContentBody(message.body[start : start + size])

    def _expect(self, message_id: str) -> Confirmation:
        """A future where the library's reader looks: by delivery tag, and for returned messages by id."""
        channel = self._channel
        channel.delivery_tag += 1
        tag = channel.delivery_tag
        confirmation: Confirmation = channel.create_future()
        channel.confirmations[tag] = confirmation
        channel.message_id_delivery_tag[message_id] = tag

        def forget(_: Confirmation) -> None:
            if channel.message_id_delivery_tag.get(message_id) == tag:
                del channel.message_id_delivery_tag[message_id]

        confirmation.add_done_callback(forget)
        return confirmation

    async def close(self) -> None:
        """Close the connection; what was not confirmed counts as not sent."""
        try:
            await asyncio.wait_for(self._connection.close(), timeout=2.0)
        except BROKER_AWAY:
            return


async def declare(channel: Channel, definitions: Mapping[str, Any]) -> None:
    """Declare exchanges, queues and bindings, given in the form of RabbitMQ's definitions file."""
    for exchange in definitions["exchanges"]:
        await channel.exchange_declare(
            exchange["name"],
            exchange_type=exchange["type"],
            durable=exchange["durable"],
            arguments=exchange.get("arguments") or None,
        )
    for queue in definitions["queues"]:
        await channel.queue_declare(
            queue["name"], durable=queue["durable"], arguments=queue.get("arguments") or None
        )
    for binding in definitions["bindings"]:
        await channel.queue_bind(
            binding["destination"],
            binding["source"],
            routing_key=binding["routing_key"],
            arguments=binding.get("arguments") or None,
        )
