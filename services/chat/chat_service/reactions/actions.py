"""Use cases of reactions: change some in a transaction of the batched writer or of one's own, and list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from chat_service.auth.principal import Principal
from chat_service.errors import ChannelNotFound
from chat_service.events.log import Cause, LoggedEvent, channel_event
from chat_service.messages.actions import require_message
from chat_service.messages.rules import ChannelHead
from chat_service.paging import Page, encode_cursor
from chat_service.reactions import rules, store
from chat_service.reactions.rules import Decisions, Reacted, Reacting, Reaction, Verdict
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.reactions import ReactionAdded, ReactionChange, ReactionRemoved
from chatsdk_contracts.wire import Timestamp, WireModel, data_json, format_time
from chatsdk_runtime.errors import ServiceError, invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Transaction


async def write_batch(
    tx: Transaction,
    channels: Mapping[ChannelId, ChannelHead],
    wanted: Sequence[Reacting],
    *,
    epoch: int,
    now: datetime,
) -> list[Verdict]:
    """Decide and write reactions in channels that this transaction has locked, in the order given."""
    facts = await store.reaction_facts(tx, wanted)
    decisions = Decisions(now)
    verdicts = [
        decisions.decide(one, channels[one.channel_id], fact) for one, fact in zip(wanted, facts, strict=True)
    ]
    changes = [
        (one, verdict)
        for one, verdict in zip(wanted, verdicts, strict=True)
        if isinstance(verdict, Reacted) and verdict.is_written
    ]
    if changes:
        touched = dict.fromkeys(one.channel_id for one, _ in changes)
        await store.write_reactions(
            tx,
            [channels[channel_id] for channel_id in touched],
            decisions,
            [one for one, _ in changes],
            [_event(one, verdict, epoch, now) for one, verdict in changes],
        )
    return verdicts


async def react(tx: Transaction, wanted: Reacting, *, epoch: int, now: datetime) -> Answer:
    """The same for one reaction in a transaction of its own."""
    channel = await store.lock_head(tx, wanted.app_id, wanted.channel_id)
    if channel is None:
        raise ChannelNotFound
    (verdict,) = await write_batch(tx, {channel.id: channel}, [wanted], epoch=epoch, now=now)
    if isinstance(verdict, ServiceError):
        raise verdict
    return answer_of(wanted, verdict)


def require_type(text: str, path: str) -> str:
    """The one spelling of a reaction that was given at this path.

    Raises:
        InvalidInput: it is none.
    """
    canonical = rules.canonical_type(text)
    if canonical is None:
        raise invalid_field(
            path,
            "not_an_emoji",
            "is neither an emoji nor :name:",
            hint="Send one emoji, or the name of a custom one between colons, e.g. :party-parrot:.",
        )
    return canonical


def answer_of(wanted: Reacting, reacted: Reacted) -> Answer:
    """201 for a reaction that was not there before."""
    made = wanted.change == "add" and reacted.changed
    return Answer(data_json(reacted.reaction), 201 if made else 200)


def _event(wanted: Reacting, reacted: Reacted, epoch: int, now: datetime) -> LoggedEvent:
    event_class = ReactionAdded if wanted.change == "add" else ReactionRemoved
    cause = Cause(wanted.app_id, now, epoch, wanted.user_id, wanted.traceparent)
    assert reacted.cv is not None, "a change makes a version"
    told = _told(reacted.reaction)
    return channel_event(event_class, cause, wanted.channel_id, reacted.cv, told, only_for=reacted.only_for)


def _told(reaction: Reaction) -> ReactionChange:
    return ReactionChange(**reaction.model_dump(exclude={"created_at"}))


class ListedReaction(WireModel):
    """Who reacted how, and when."""

    user_id: UserId
    type: str
    created_at: Timestamp


class ReactionPage(Page):
    """A page of a message's reactions."""

    reactions: list[ListedReaction]


async def list_reactions(
    connection: Connection,
    caller: Principal,
    message: tuple[ChannelId, MessageId],
    *,
    only: str | None,
    after: store.Position | None,
    limit: int,
) -> ReactionPage:
    """Who reacted to a message and how, by type, then time; a tombstone shows none."""
    channel_id, message_id = message
    found, _ = await require_message(connection, caller, channel_id, message_id)
    if found.deleted_at is not None:
        return ReactionPage(reactions=[], next_cursor=None, has_more=False)
    rows = await store.list_reactions(connection, message_id, only=only, after=after, limit=limit + 1)
    page = [
        ListedReaction(user_id=row["user_id"], type=row["type"], created_at=row["created_at"])
        for row in rows[:limit]
    ]
    more = len(rows) > limit
    return ReactionPage(reactions=page, next_cursor=_after(page[-1]) if more else None, has_more=more)


def _after(reaction: ListedReaction) -> str:
    return encode_cursor(reaction.type, format_time(reaction.created_at), reaction.user_id)
