"""A batch of sends and reactions in one transaction: lock, read what decides, write.

Three statements for the sends, two more if any are replies, three if any mention somebody; behind them two for the
reactions if there are any. Used by the batched writer, and by operations of clients, which add their result to the same
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from chat_service.errors import ChannelNotFound
from chat_service.events.log import Cause, LoggedEvent, channel_event
from chat_service.mentions import noting
from chat_service.mentions.noting import Asking, Said
from chat_service.mentions.rules import NOBODY
from chat_service.messages import send_store
from chat_service.messages.rules import (
    Accepted,
    ChannelHead,
    Decisions,
    ScreenedSend,
    Send,
    SendFacts,
    Verdict,
)
from chat_service.messages.shadows import only_reader
from chat_service.previews import store as previews
from chat_service.previews.rules import wanted_previews
from chat_service.reactions import actions as reactions
from chat_service.reactions.rules import Reacted, Reacting
from chat_service.reactions.rules import Verdict as ReactionVerdict
from chat_service.review import holding as review
from chat_service.threads import replying
from chatsdk_contracts.ids import ChannelId, MessageId
from chatsdk_contracts.messages import MessageNew
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(slots=True)
class Written:
    """What became of each send and reaction, in their order, and the JSON of the new messages.

    None: its channel is held by somebody else; the caller tries again.
    """

    verdicts: list[Verdict | None]
    reacted: list[ReactionVerdict | None]
    bodies: Mapping[MessageId, bytes] = field(default_factory=dict)

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return bool(self.bodies) or any(isinstance(one, Reacted) and one.is_written for one in self.reacted)


async def write_batch(
    tx: Transaction,
    sends: Sequence[ScreenedSend],
    reacting: Sequence[Reacting] = (),
    *,
    now: datetime,
    epoch: int,
) -> Written:
    """Decide and write; nothing that decides is read before the channels are locked."""
    wanted = {UUID(send.channel_id) for send in sends} | {UUID(one.channel_id) for one in reacting}
    channels = await send_store.lock_channels(tx, list(wanted))
    written = Written([None] * len(sends), [None] * len(reacting))
    if sends:
        await _write_sends(tx, channels, sends, written, now, epoch)
    if reacting:
        # After the sends, so that a reaction sees what they wrote and its version follows theirs.
        await _write_reactions(tx, channels, reacting, written, now, epoch)
    if len(channels) < len(wanted):
        absent = [one for one in wanted if ChannelId(str(one)) not in channels]
        existing = await send_store.existing_channels(tx, absent)
        _refuse(written.verdicts, (one.channel_id for one in sends), existing)
        _refuse(written.reacted, (one.channel_id for one in reacting), existing)
    return written


async def _write_sends(
    tx: Transaction,
    channels: Mapping[ChannelId, ChannelHead],
    sends: Sequence[Send],
    written: Written,
    now: datetime,
    epoch: int,
) -> None:
    ready = [place for place, send in enumerate(sends) if send.channel_id in channels]
    if not ready:
        return
    facts = await facts_of(tx, [sends[place] for place in ready])
    decisions = Decisions(now)
    for place, fact in zip(ready, facts, strict=True):
        send = sends[place]
        written.verdicts[place] = decisions.decide(send, channels[send.channel_id], fact)
    accepted = [verdict for verdict in written.verdicts if isinstance(verdict, Accepted)]
    if not accepted:
        return
    written.bodies = {one.message.id: data_json(one.message) for one in accepted}
    sent = [one for one in accepted if not one.send.held]
    if sent or decisions.slowed:
        await _write_sent(tx, channels, sent, written.bodies, decisions, epoch)
    if held := [one for one in accepted if one.send.held]:
        await review.write_held(tx, held, now=now, epoch=epoch)
    jobs = wanted_previews((one.message, channels[one.message.channel_id].config) for one in sent)
    if jobs:
        await previews.enqueue(tx, jobs, now)


async def _write_sent(
    tx: Transaction,
    channels: Mapping[ChannelId, ChannelHead],
    sent: Sequence[Accepted],
    bodies: Mapping[MessageId, bytes],
    decisions: Decisions,
    epoch: int,
) -> None:
    """Write what is sent now, with what it makes of threads and mentions; without any, who is slowed down."""
    changed = {one.message.channel_id for one in sent}
    causes = [_cause(one.send, decisions.now, epoch) for one in sent]
    replied = await replying.grow(tx, channels, [one.message for one in sent], causes)
    noted = await noting.note(tx, _said(sent, causes))
    await send_store.write_sends(
        tx,
        [channel for channel in channels.values() if channel.id in changed],
        replied.threads,
        sent,
        [
            *(_event(one, cause, bodies) for one, cause in zip(sent, causes, strict=True)),
            *replied.events,
            *noted.events,
        ],
        decisions.now,
        decisions.slowed,
    )
    await replying.write_places(tx, replied)
    await noting.write(tx, noted)


async def facts_of(connection: Connection, sends: Sequence[Send]) -> list[SendFacts]:
    """What decides on sends; read under the lock it binds, read without it says what would be decided now."""
    facts = await send_store.send_facts(connection, sends)
    if all(send.asked is NOBODY for send in sends):
        return facts
    asking = [Asking(send.channel_id, send.user_id, send.asked) for send in sends]
    present = await noting.present(connection, asking)
    return [replace(fact, present=there) for fact, there in zip(facts, present, strict=True)]


def _said(accepted: Sequence[Accepted], causes: Sequence[Cause]) -> list[Said]:
    return [
        Said(one.message, cause, one.deaf)
        for one, cause in zip(accepted, causes, strict=True)
        if (one.message.mentions or one.message.mention_groups) and one.shadowed_after is None
    ]


async def _write_reactions(
    tx: Transaction,
    channels: Mapping[ChannelId, ChannelHead],
    reacting: Sequence[Reacting],
    written: Written,
    now: datetime,
    epoch: int,
) -> None:
    ready = [place for place, one in enumerate(reacting) if one.channel_id in channels]
    if not ready:
        return
    wanted = [reacting[place] for place in ready]
    verdicts = await reactions.write_batch(tx, channels, wanted, epoch=epoch, now=now)
    for place, verdict in zip(ready, verdicts, strict=True):
        written.reacted[place] = verdict


def _refuse(
    verdicts: list[Verdict | None] | list[ReactionVerdict | None],
    channel_ids: Iterable[ChannelId],
    existing: set[ChannelId],
) -> None:
    """Refuse those whose channel is not there at all."""
    for place, channel_id in enumerate(channel_ids):
        if verdicts[place] is None and channel_id not in existing:
            verdicts[place] = ChannelNotFound()


def _cause(send: Send, now: datetime, epoch: int) -> Cause:
    return Cause(send.app_id, now, epoch, send.user_id, send.traceparent)


def _event(accepted: Accepted, cause: Cause, bodies: Mapping[MessageId, bytes]) -> LoggedEvent:
    message = accepted.message
    body = bodies[message.id]
    return channel_event(
        MessageNew, cause, message.channel_id, message.cv, body, only_for=only_reader(message)
    )
