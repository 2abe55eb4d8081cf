"""The broker's door of realtime: one exclusive queue per replica, bound to the buckets that its sockets need.

Nothing is acknowledged and the queue is bounded: what is lost is found by its version and read from the log. A new
queue is made with each connection; then every topic is compared with the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import aio_pika
import structlog
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel

from chat_service.presence.watching import Watches
from chat_service.realtime.hub import Hub
from chat_service.realtime.rules import bindings_for
from chatsdk_contracts.topology import EVENTS_EXCHANGE, definitions
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.rabbit import BROKER_AWAY, declare, open_connection

log = structlog.get_logger()

_QUEUE_LENGTH: Final = 20_000
_CHECK_S: Final = 1.0
_CLOSE_S: Final = 2.0


class RealtimeConsumer:
    """The subscription of one replica."""

    def __init__(self, url: str, hub: Hub, watches: Watches) -> None:
        self._url = url
        self._hub = hub
        self._watches = watches
        self._buckets: set[int] = set()
        self._bound: set[str] = set()
        self._channel: Channel | None = None
        self._queue = ""
        self._binding = asyncio.Lock()

    async def bind(self, buckets: Iterable[int]) -> None:
        """Want these buckets too. Returns when the broker sends them, or at once while there is no broker."""
        self._buckets.update(buckets)
        try:
            await self._bind_wanted()
        except BROKER_AWAY as outage:
            # The next connection binds everything and compares with the database.
            log.info("bind_waits", error=f"{type(outage).__name__}: {outage}")

    async def run(self, heartbeat: Heartbeat) -> None:
        """Consume until cancelled.

        Raises:
            ConnectionError: the broker closed the connection: run again.
        """
        connection = await open_connection(self._url, name="chat-realtime")
        try:
            opened = await connection.channel(publisher_confirms=False)
            channel = await opened.get_underlay_channel()
            assert isinstance(channel, Channel)
            await self._start(channel)
            self._watches.doubt()
            await self._hub.resync()
            while not (connection.is_closed or channel.is_closed):
                heartbeat.beat()
                self._forget_unneeded()
                await asyncio.sleep(_CHECK_S)
            message = "the connection to the broker is closed"
            raise ConnectionError(message)
        finally:
            self._channel = None
            self._bound = set()
            await _close(connection)

    async def _start(self, channel: Channel) -> None:
        await declare(channel, definitions())
        declared = await channel.queue_declare(
            "",
            exclusive=True,
            auto_delete=True,
            arguments={"x-max-length": _QUEUE_LENGTH, "x-overflow": "drop-head"},
        )
        self._queue = str(declared.queue)
        self._channel = channel
        self._buckets = self._needed()
        await self._bind_wanted()
        await channel.basic_consume(self._queue, self._receive, no_ack=True)

    async def _bind_wanted(self) -> None:
        async with self._binding:
            channel = self._channel
            if channel is None:
                return
            for pattern in bindings_for(self._buckets) - self._bound:
                await channel.queue_bind(self._queue, EVENTS_EXCHANGE, routing_key=pattern)
                self._bound.add(pattern)

    def _forget_unneeded(self) -> None:
        """Buckets that nobody needs any more are left out of the next connection's bindings, and of the count."""
        self._buckets &= self._needed()

    def _needed(self) -> set[int]:
        return {topic.bucket for topic in self._hub.topics} | self._watches.buckets

    async def _receive(self, message: DeliveredMessage) -> None:
        properties: Any = message.header.properties
        position = (properties.headers or {}).get("lane-pos")
        self._hub.receive(message.body, position if isinstance(position, int) else None)


async def _close(connection: aio_pika.abc.AbstractConnection) -> None:
    try:
        await asyncio.wait_for(connection.close(), timeout=_CLOSE_S)
    except BROKER_AWAY as error:
        log.info("realtime_close_failed", error=f"{type(error).__name__}: {error}")
