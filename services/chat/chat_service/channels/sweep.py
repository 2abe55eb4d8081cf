"""The work that large changes leave behind, in small transactions: nobody waits long for a channel's lock.

Three kinds: messages of a hard truncation lose their content, also in the log; the channels of a deleted
workspace are deleted; who is out of a workspace is taken out of its channels. What is to be done stands in the
database, so that a crash loses nothing; a step that two replicas take at once does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from chat_service.channels import member_store, store, sweep_store
from chat_service.channels.actions import delete_locked
from chat_service.channels.membership import take_out
from chat_service.events.log import Cause
from chat_service.messages.remains import redacted
from chat_service.messages.store import redact_told
from chat_service.uploads.link_store import unlink
from chatsdk_contracts.ids import AppId, MessageId, UserId
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, reading, transaction

CHUNK = 500
_PAUSE_S = 2.0


class Sweep:
    """The loop of one replica. `wake_relay` is called after each step, for its events."""

    def __init__(self, pool: Pool, *, epoch: int, wake_relay: Callable[[], None]) -> None:
        self._pool = pool
        self._epoch = epoch
        self._wake_relay = wake_relay

    async def run(self, heartbeat: Heartbeat) -> None:
        """Do what there is to do, then look again every two seconds."""
        while True:
            heartbeat.beat()
            if not await self.step():
                await asyncio.sleep(_PAUSE_S)

    async def step(self) -> bool:
        """One small piece of each kind of work; False when there was none."""
        done = [await self._purge(), await self._delete_channel(), await self._take_out()]
        if any(done):
            self._wake_relay()
        return any(done)

    async def _purge(self) -> bool:
        async with reading(self._pool) as connection:
            purge = await sweep_store.next_purge(connection)
            if purge is None:
                return False
            # Seqs are dense: so many messages of the timeline, and their replies on top.
            up_to_seq = min(purge.purged_seq + CHUNK, purge.purge_seq)
            wiping = await sweep_store.messages_to_wipe(connection, purge, up_to_seq=up_to_seq, limit=CHUNK)
        event_ids = [event_id for told in wiping.values() for event_id in told]
        # The log first and without the channel's lock: nobody changes a truncated message, and after a crash
        # in between the rows still know their events.
        for start in range(0, len(event_ids), CHUNK):
            async with transaction(self._pool) as tx:
                bodies = await sweep_store.fetch_bodies(tx, event_ids[start : start + CHUNK])
                if bodies:
                    await redact_told(tx, {event_id: redacted(body) for event_id, body in bodies.items()})
        async with transaction(self._pool) as tx:
            # A channel that was deleted in the meantime is not found to be locked, and is wiped all the same.
            await store.lock_channel(tx, purge.app_id, purge.channel_id)
            if wiping:
                await unlink(tx, [MessageId(str(one)) for one in wiping], _now())
                await sweep_store.wipe_messages(tx, list(wiping), _now())
            if len(wiping) < CHUNK:
                await sweep_store.mark_purged(tx, purge.channel_id, up_to_seq)
        return True

    async def _delete_channel(self) -> bool:
        async with reading(self._pool) as connection:
            found = await sweep_store.channel_to_delete(connection)
        if found is None:
            return False
        app_id, workspace_id, channel_id = found
        async with transaction(self._pool) as tx:
            if channel_id is None:
                await sweep_store.mark_empty(tx, workspace_id)
                return True
            stored = await store.lock_channel(tx, app_id, channel_id)
            if stored is not None:
                await delete_locked(tx, self._cause(app_id, None), stored.channel)
        return True

    async def _take_out(self) -> bool:
        async with reading(self._pool) as connection:
            leaver = await sweep_store.next_leaver(connection)
            if leaver is None:
                return False
            channel_id = await sweep_store.channel_to_leave(connection, leaver)
        async with transaction(self._pool) as tx:
            # The channel's lock before the row of the leaver, as everywhere: a channel first.
            stored = None if channel_id is None else await store.lock_channel(tx, leaver.app_id, channel_id)
            if not await sweep_store.hold_leaver(tx, leaver):
                return True
            if channel_id is None:
                await sweep_store.forget_leaver(tx, leaver)
            elif stored is not None:
                member = await member_store.fetch_member(tx, channel_id, leaver.user_id)
                if member is not None:
                    cause = self._cause(leaver.app_id, leaver.actor_id)
                    await take_out(tx, cause, stored.channel, member, "removed")
        return True

    def _cause(self, app_id: AppId, actor_id: UserId | None) -> Cause:
        return Cause(app_id=app_id, now=_now(), epoch=self._epoch, actor_id=actor_id)


def _now() -> datetime:
    return to_wire_precision(datetime.now(UTC))
