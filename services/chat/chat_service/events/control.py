"""What the processes tell each other at once, on the control exchange: published and forgotten.

Nothing waits for the broker. Whoever listens has a cache that also expires by itself within seconds, so that a
message lost, or an hour without a broker, delays and never allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from chatsdk_contracts.control import ControlEvent, parse_control
from chatsdk_contracts.envelope import (
    Envelope,
    UndecodableEvent,
    encode_with_data,
    event_type,
    subject_of,
)
from chatsdk_contracts.ids import AppId, EventId, new_id
from chatsdk_contracts.topology import CONTROL_EXCHANGE, definitions, routing_key
from chatsdk_contracts.wire import WireModel, data_json
from chatsdk_runtime.broadcast import Listener
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.rabbit import OutgoingMessage, Publisher, declare

log = structlog.get_logger()

_WAITING = 1_000
_IDLE_BEAT_S = 5.0


class ControlChannel:
    """One replica's ear and mouth. `tell` never waits and never fails."""

    def __init__(self, url: str, epoch: int) -> None:
        self._url = url
        self._epoch = epoch
        self._waiting: asyncio.Queue[OutgoingMessage] = asyncio.Queue(_WAITING)

    def tell(self, event_class: type[ControlEvent], app_id: AppId, data: WireModel, now: datetime) -> None:
        """Have an event published soon. While the broker is away, what does not fit is dropped."""
        subject = subject_of("apps", app_id)
        event_id = EventId(new_id())
        envelope = Envelope(id=event_id, appid=app_id, subject=subject, time=now, epoch=self._epoch)
        name = event_type(event_class)
        message = OutgoingMessage(
            routing_key(name, app_id, subject),
            encode_with_data(event_class, envelope, data_json(data)),
            event_id,
            name,
            persistent=False,
        )
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            log.warning("control_event_dropped", event_type=name, app_id=app_id)

    async def publish(self, heartbeat: Heartbeat) -> None:
        """Publish what is told, until cancelled.

        Raises:
            ConnectionError: the broker did not take one; it is not told again.
        """
        publisher = await Publisher.open(self._url, name="chat-control-publish")
        try:
            await declare(publisher.channel, definitions())
            while publisher.is_open:
                heartbeat.beat()
                try:
                    message = await asyncio.wait_for(self._waiting.get(), timeout=_IDLE_BEAT_S)
                except TimeoutError:
                    continue
                outcome = await publisher.publish(CONTROL_EXCHANGE, [message], window=1)
                if outcome.failure is not None:
                    raise ConnectionError(outcome.failure)
            raise ConnectionError("the connection to the broker is gone")
        finally:
            await publisher.close()

    def listener(self, on_event: Callable[[ControlEvent], None], on_gap: Callable[[], None]) -> Listener:
        """What hears all replicas, this one too. `on_gap`: something may have been missed."""

        def hear(body: bytes) -> None:
            try:
                event = parse_control(body)
            except UndecodableEvent as problem:
                log.warning("control_event_undecodable", reason=problem.reason)
                return
            if event is not None:
                on_event(event)

        return Listener(self._url, CONTROL_EXCHANGE, name="chat-control", hear=hear, on_gap=on_gap)
