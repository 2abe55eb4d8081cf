"""The loop that tells apps of messages which their users have not read: once for each place where a user stopped.

Nothing is written when a message is sent, and nothing is looked at for apps that do not ask for it. Due times, and who
is offline, are judged here by the database's clock, so replicas and restarts matter not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from chat_service.events.log import Cause, append, user_notice
from chat_service.notifications import store
from chat_service.notifications.rules import Wish
from chat_service.settings import ChatSettings
from chatsdk_contracts.ids import ChannelId, NotificationId, new_id
from chatsdk_contracts.notifications import Notification, NotificationDue
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, reading, transaction


class NotificationTeller:
    """Looks at every app that asked, one after the other."""

    def __init__(
        self, pool: Pool, *, epoch: int, interval_s: float, largest: int, wake_relay: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._epoch = epoch
        self._interval_s = interval_s
        self._largest = largest
        self._wake_relay = wake_relay

    @classmethod
    def open(cls, settings: ChatSettings, pool: Pool, epoch: int, wake_relay: Callable[[], None]) -> Self:
        """The loop as one process runs it."""
        return cls(
            pool,
            epoch=epoch,
            interval_s=settings.notification_interval_s,
            largest=settings.notification_channel_members,
            wake_relay=wake_relay,
        )

    async def run(self, heartbeat: Heartbeat) -> None:
        """Look until cancelled."""
        while True:
            heartbeat.beat()
            async with reading(self._pool) as connection:
                wishes = await store.read_wishes(connection)
            for wish in wishes:
                heartbeat.beat()
                if await self.tell(wish):
                    self._wake_relay()
            await asyncio.sleep(self._interval_s)

    async def tell(self, wish: Wish) -> int:
        """Tell one app of all that is due, a transaction for each channel; returns of how many users."""
        async with reading(self._pool) as connection:
            since = await store.begin_scan(connection, wish.app_id, self._interval_s / 2)
            if since is None:
                return 0
            now = await store.database_time(connection)
            channels = await store.active_channels(connection, wish.app_id, since)
        told = 0
        for channel_id in channels:
            told += await self._tell_channel(wish, channel_id, since, now)
        async with reading(self._pool) as connection:
            await store.end_scan(connection, wish.app_id, wish.settled_until(now))
        return told

    async def _tell_channel(self, wish: Wish, channel_id: ChannelId, since: datetime, now: datetime) -> int:
        cause = Cause(wish.app_id, to_wire_precision(datetime.now(UTC)), self._epoch)
        async with transaction(self._pool) as tx:
            due = await store.take_due(
                tx, channel_id, wish.due_since(now), since=since, largest=self._largest
            )
            events = [
                user_notice(
                    NotificationDue, cause, one.user_id, _notification(one, channel_id, cause), channel_id
                )
                for one in due
            ]
            if events:
                await append(tx, events)
        return len(due)


def _notification(due: store.Due, channel_id: ChannelId, cause: Cause) -> Notification:
    return Notification(
        id=NotificationId(new_id()),
        user_id=due.user_id,
        kind="mention" if due.is_mentioned else "message",
        channel_id=channel_id,
        message_id=due.message_id,
        due_at=cause.now,
        created_at=due.created_at,
    )
