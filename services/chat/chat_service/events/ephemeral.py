"""Events that are told and forgotten: typing and presence. Not in the log, not persistent, gone when not fresh.

`tell` never waits and never fails. What waits is coalesced by what it is about: a newer word replaces an older one that
the broker has not yet. While the broker is away it goes stale and is dropped, and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from chat_service.events.log import Cause
from chat_service.instruments import EphemeralInstruments
from chatsdk_contracts.envelope import Envelope, Event, encode_with_data, event_type, subject_of
from chatsdk_contracts.ids import ChannelId, EventId, UserId, new_id
from chatsdk_contracts.topology import EVENTS_EXCHANGE, definitions, routing_key
from chatsdk_contracts.wire import WireModel, data_json
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.rabbit import OutgoingMessage, Publisher, declare

_WAITING: Final = 10_000
_FRESH_S: Final = 5.0
_WINDOW: Final = 256
_IDLE_BEAT_S: Final = 5.0


class EphemeralChannel:
    """One replica's mouth for them, with a connection of its own."""

    def __init__(
        self,
        url: str,
        instruments: EphemeralInstruments,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._instruments = instruments
        self._clock_s = clock_s
        self._waiting: OrderedDict[str, tuple[float, OutgoingMessage]] = OrderedDict()
        self._arrived = asyncio.Event()

    def tell_channel(
        self, event_class: type[Event], cause: Cause, channel_id: ChannelId, data: WireModel, *, about: UserId
    ) -> EventId:
        """What a user does in a channel: the last word about the two is told."""
        subject = subject_of("channels", channel_id)
        return self._tell(f"{channel_id}/{about}", event_class, cause, subject, data, channel_id)

    def tell_user(self, event_class: type[Event], cause: Cause, user_id: UserId, data: WireModel) -> EventId:
        """How a user is: the last word is told."""
        subject = subject_of("users", user_id)
        return self._tell(f"{cause.app_id}/{user_id}", event_class, cause, subject, data, None)

    def _tell(
        self,
        key: str,
        event_class: type[Event],
        cause: Cause,
        subject: str,
        data: WireModel,
        channel_id: ChannelId | None,
    ) -> EventId:
        event_id, name = EventId(new_id()), event_type(event_class)
        envelope = Envelope(
            id=event_id,
            appid=cause.app_id,
            subject=subject,
            time=cause.now,
            epoch=cause.epoch,
            channelid=channel_id,
            actorid=cause.actor_id,
            traceparent=cause.traceparent,
        )
        # No expiration: a queue that keeps its dead letters would keep what expired, too. Who reads late drops it.
        message = OutgoingMessage(
            routing_key(name, cause.app_id, subject),
            encode_with_data(event_class, envelope, data_json(data)),
            event_id,
            name,
            persistent=False,
        )
        self._put(key, message)
        return event_id

    def _put(self, key: str, message: OutgoingMessage) -> None:
        if self._waiting.pop(key, None) is not None:
            self._instruments.told.labels("coalesced").inc()
        elif len(self._waiting) >= _WAITING:
            self._waiting.popitem(last=False)
            self._instruments.told.labels("dropped").inc()
        self._waiting[key] = (self._clock_s() + _FRESH_S, message)
        self._arrived.set()

    def take(self, most: int = _WINDOW) -> list[OutgoingMessage]:
        """What is to be published next, the oldest first; what is not fresh any more is dropped."""
        now_s, taken = self._clock_s(), list[OutgoingMessage]()
        while self._waiting and len(taken) < most:
            _, (until_s, message) = self._waiting.popitem(last=False)
            if until_s < now_s:
                self._instruments.told.labels("dropped").inc()
            else:
                taken.append(message)
        return taken

    async def publish(self, heartbeat: Heartbeat) -> None:
        """Publish what is told, until cancelled.

        Raises:
            ConnectionError: the broker did not take some of it; that is not told again.
        """
        publisher = await Publisher.open(self._url, name="chat-ephemeral")
        try:
            await declare(publisher.channel, definitions())
            while publisher.is_open:
                heartbeat.beat()
                await self._wait()
                await self._publish(publisher, self.take())
            raise ConnectionError("the connection to the broker is gone")
        finally:
            await publisher.close()

    async def _wait(self) -> None:
        if self._waiting:
            return
        self._arrived.clear()
        try:
            async with asyncio.timeout(_IDLE_BEAT_S):
                await self._arrived.wait()
        except TimeoutError:
            return

    async def _publish(self, publisher: Publisher, messages: list[OutgoingMessage]) -> None:
        if not messages:
            return
        outcome = await publisher.publish(EVENTS_EXCHANGE, messages, window=_WINDOW)
        self._instruments.told.labels("published").inc(outcome.confirmed)
        if outcome.failure is not None:
            self._instruments.told.labels("dropped").inc(len(messages) - outcome.confirmed)
            raise ConnectionError(outcome.failure)
