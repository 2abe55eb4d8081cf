"""The loop that lets go of messages which are older than their app keeps them.

It truncates channels, as an owner may, at the last message that is too old; the sweep then wipes rows and log in
chunks. What waits for a moderator, or was rejected, is in no timeline and goes by itself, as if its author took it
back. What a legal hold covers stays until the hold is released.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from chat_service.audit.actions import Target, note
from chat_service.channels.actions import truncate_locked
from chat_service.channels.store import lock_channel
from chat_service.events.log import Cause
from chat_service.holds.store import is_channel_held, is_held
from chat_service.messages.removal import withdraw
from chat_service.retention import store
from chat_service.retention.rules import Policy
from chat_service.retention.store import Overdue, Unsent
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, reading, transaction

_FIRST: Final = "00000000-0000-0000-0000-000000000000"
_CHANNELS: Final = 1_000
_MESSAGES: Final = 10_000
_UNSENT: Final = 500
_STEP_S: Final = 10.0


class Expiry:
    """The loop of one replica; two that meet at a channel do the same to it once."""

    def __init__(self, pool: Pool, *, epoch: int, interval_s: float, wake_relay: Callable[[], None]) -> None:
        self._pool = pool
        self._epoch = epoch
        self._interval_s = interval_s
        self._wake_relay = wake_relay

    async def run(self, heartbeat: Heartbeat) -> None:
        """Go through all channels, then rest."""
        while True:
            await self.round(heartbeat.beat)
            rested_s = 0.0
            while rested_s < self._interval_s:
                heartbeat.beat()
                await asyncio.sleep(min(_STEP_S, self._interval_s))
                rested_s += _STEP_S

    async def round(self, beat: Callable[[], None] = lambda: None) -> int:
        """Every channel once, then what is in none; returns in how many channels and how many unsent messages were too old."""
        async with reading(self._pool) as connection:
            policies = await store.read_policies(connection)
        found, after = 0, _FIRST
        while policies:
            beat()
            now = to_wire_precision(datetime.now(UTC))
            scanned = await self._scan(policies, now, after)
            for overdue in scanned.overdue:
                beat()
                found += await self._truncate(overdue, now)
            if scanned.last is None:
                break
            after = scanned.last
        for policy in policies:
            found += await self._withdraw_old(policy, beat)
        return found

    async def _withdraw_old(self, policy: Policy, beat: Callable[[], None]) -> int:
        """Everything unsent that is too old by a policy; returns how many."""
        found = 0
        while True:
            now = to_wire_precision(datetime.now(UTC))
            async with reading(self._pool) as connection:
                unsent = await store.scan_unsent(connection, policy, now, limit=_UNSENT)
            gone = 0
            for one in unsent:
                beat()
                gone += await self._withdraw(one, now)
            found += gone
            # What others decided on meanwhile is found no more; a part of which nothing went is not asked for again.
            if len(unsent) < _UNSENT or not gone:
                return found

    async def _scan(self, policies: Sequence[Policy], now: datetime, after: str) -> store.Scanned:
        async with reading(self._pool) as connection:
            return await store.scan_channels(
                connection, policies, now, after=after, limit=_CHANNELS, longest=_MESSAGES
            )

    async def _truncate(self, overdue: Overdue, now: datetime) -> bool:
        async with transaction(self._pool) as tx:
            stored = await lock_channel(tx, overdue.app_id, overdue.channel_id)
            if stored is None or await is_channel_held(tx, overdue.app_id, overdue.channel_id):
                return False
            cause = Cause(app_id=overdue.app_id, now=now, epoch=self._epoch)
            await truncate_locked(tx, cause, stored, up_to_seq=overdue.up_to_seq, hard=True)
        self._wake_relay()
        return True

    async def _withdraw(self, unsent: Unsent, now: datetime) -> bool:
        async with transaction(self._pool) as tx:
            await lock_channel(tx, unsent.app_id, unsent.channel_id)
            message = await store.lock_unsent(tx, unsent)
            if message is None or await is_held(tx, unsent.app_id, unsent.channel_id, message.user_id):
                return False
            cause = Cause(app_id=unsent.app_id, now=now, epoch=self._epoch)
            await withdraw(tx, cause, message)
            if message.status == "held":
                target = Target("message", message.id, message.channel_id)
                await note(tx, cause, "message.rejected", target, {"authorId": message.user_id})
        self._wake_relay()
        return True
