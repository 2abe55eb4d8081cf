"""Listen to everything on a topic exchange, with a queue that lives as long as the connection.

For what may be lost: hints that clear caches. Nothing is acknowledged, nothing is kept while nobody listens;
`on_gap` says, at each new connection, that something may have been missed before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.rabbit import open_connection

_CHECK_S = 2.0


class Listener:
    """One subscription and its loop."""

    def __init__(
        self,
        url: str,
        exchange: str,
        *,
        name: str,
        hear: Callable[[bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._url = url
        self._exchange = exchange
        self._name = name
        self._hear = hear
        self._on_gap = on_gap

    async def run(self, heartbeat: Heartbeat) -> None:
        """Listen until cancelled.

        Raises:
            ConnectionError: the broker closed the connection or the subscription: run again.
        """
        connection = await open_connection(self._url, name=self._name)
        async with connection:
            channel = await connection.channel()
            await channel.declare_exchange(self._exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(self._exchange, "#")
            await queue.consume(self._take, no_ack=True)
            self._on_gap()
            while not (connection.is_closed or channel.is_closed):
                heartbeat.beat()
                await asyncio.sleep(_CHECK_S)
        raise ConnectionError(f"the subscription to {self._exchange} is gone")

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self._hear(message.body)
