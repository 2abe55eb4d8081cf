"""A batch of sends in one transaction of three statements: lock, read what decides, write.

Used by the batched writer, and by operations of clients, which add their result to the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.errors import ChannelNotFound
from chat_service.events.log import Cause, LoggedEvent, channel_event
from chat_service.messages import store
from chat_service.messages.rules import Accepted, ChannelHead, Decisions, Send, Verdict
from chatsdk_contracts.ids import ChannelId, MessageId
from chatsdk_contracts.messages import MessageNew
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import Transaction


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each send, in their order (None: its channel is busy), and the JSON of what was written."""

    verdicts: Sequence[Verdict | None]
    accepted: Sequence[Accepted]
    bodies: Mapping[MessageId, bytes]


async def write_batch(tx: Transaction, sends: Sequence[Send], *, now: datetime, epoch: int) -> Written:
    """Decide and write; nothing that decides is read before the channels are locked."""
    channels = await store.lock_channels(tx, list({UUID(send.channel_id) for send in sends}))
    ready = [place for place, send in enumerate(sends) if send.channel_id in channels]
    facts = await store.send_facts(tx, [sends[place] for place in ready]) if ready else []
    decisions = Decisions(now)
    verdicts: list[Verdict | None] = [None] * len(sends)
    for place, fact in zip(ready, facts, strict=True):
        verdicts[place] = decisions.decide(sends[place], channels[sends[place].channel_id], fact)
    accepted = [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
    bodies = {one.message.id: data_json(one.message) for one in accepted}
    if accepted:
        events = [_event(one, bodies[one.message.id], now, epoch) for one in accepted]
        changed = _changed(channels, accepted)
        await store.write_sends(tx, changed, decisions.threads, accepted, events, now)
    if len(ready) < len(sends):
        await _refuse_absent(tx, sends, verdicts)
    return Written(verdicts, accepted, bodies)


def _changed(channels: Mapping[ChannelId, ChannelHead], accepted: Sequence[Accepted]) -> list[ChannelHead]:
    changed = {one.message.channel_id for one in accepted}
    return [channel for channel in channels.values() if channel.id in changed]


async def _refuse_absent(tx: Transaction, sends: Sequence[Send], verdicts: list[Verdict | None]) -> None:
    """Refuse those whose channel is not there; the channels of the others are held by somebody else."""
    open_places = [place for place, verdict in enumerate(verdicts) if verdict is None]
    wanted = {UUID(sends[place].channel_id) for place in open_places}
    existing = await store.existing_channels(tx, list(wanted))
    for place in open_places:
        if sends[place].channel_id not in existing:
            verdicts[place] = ChannelNotFound()


def _event(accepted: Accepted, data: bytes, now: datetime, epoch: int) -> LoggedEvent:
    send, message = accepted.send, accepted.message
    cause = Cause(send.app_id, now, epoch, send.user_id, send.traceparent)
    return channel_event(MessageNew, cause, message.channel_id, message.cv, data)
