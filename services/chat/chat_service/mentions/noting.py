"""Mentions of messages that are being written: who is there to be named, the rows of the inbox, the events.

Used by the batched writer and by edits, in their transactions and under their channels' locks. Messages that name nobody
cost nothing. Users are locked after the channels, before the members, in the order of their ids: nobody waits in a circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from chat_service.events.log import Cause, LoggedEvent, user_event
from chat_service.mentions import rules, store
from chat_service.mentions.rules import Asked, Present
from chat_service.mentions.store import NewMention
from chatsdk_contracts.ids import AppId, ChannelId, MentionId, UserId, new_id
from chatsdk_contracts.mentions import Mention, MentionCreated
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom a message in a channel is to mention, and who wrote it."""

    channel_id: ChannelId
    author_id: UserId
    asked: Asked


@dataclass(frozen=True, slots=True)
class Said:
    """A message that is being written, and who of those it mentions has blocked or muted its author."""

    message: Message
    cause: Cause
    deaf: frozenset[UserId] = frozenset()


@dataclass(frozen=True, slots=True)
class Noted:
    """The rows to be written behind the messages, and the events to be written with them."""

    mentions: list[NewMention] = field(default_factory=list)
    events: list[LoggedEvent] = field(default_factory=list)


async def present(connection: Connection, asking: Sequence[Asking]) -> list[Present]:
    """Who of those asked for is there, in the order of `asking`; no query when nobody is asked for."""
    wanted = [
        store.Wanted(place, one.channel_id, one.author_id, user_id)
        for place, one in enumerate(asking)
        for user_id in one.asked.users
    ]
    members: list[set[UserId]] = [set() for _ in asking]
    deaf: list[set[UserId]] = [set() for _ in asking]
    if wanted:
        for found in await store.members_among(connection, wanted):
            members[found.place].add(found.user_id)
            if found.deaf:
                deaf[found.place].add(found.user_id)
    return [
        Present(frozenset(there), frozenset(blocking)) for there, blocking in zip(members, deaf, strict=True)
    ]


async def note_edit(tx: Transaction, said: Said) -> Noted:
    """The mentions that an edit makes: of those who had none in this message, whatever became of it."""
    if not said.message.mentions and not said.message.mention_groups:
        return Noted()
    return await note(tx, [said], already=await store.mentioned_in(tx, said.message.id))


async def note(tx: Transaction, said: Sequence[Said], already: Collection[UserId | None] = ()) -> Noted:
    """The mentions that these messages make, with an event for each user; a group has a row and no event.

    `already`: who has a mention there before (None: everybody).
    """
    told = [(one, rules.told(one.message, one.deaf, already)) for one in said]
    counts = Counter((one.cause.app_id, user_id) for one, users in told for user_id in users)
    versions = _first_versions(counts, await store.count_up(tx, counts)) if counts else {}
    noted = Noted()
    for one, users in told:
        for user_id in users:
            row = NewMention(MentionId(new_id()), one.cause.app_id, user_id, one.message, one.cause.now)
            noted.mentions.append(row)
            key = one.cause.app_id, user_id
            noted.events.append(
                user_event(MentionCreated, one.cause, user_id, versions[key], _data(row, user_id))
            )
            versions[key] += 1
        if "channel" in one.message.mention_groups and None not in already:
            row = NewMention(MentionId(new_id()), one.cause.app_id, None, one.message, one.cause.now)
            noted.mentions.append(row)
    return noted


async def write(tx: Transaction, noted: Noted) -> None:
    """Write the rows; their messages are there."""
    if noted.mentions:
        await store.insert_mentions(tx, noted.mentions)


def _first_versions(
    counts: Counter[tuple[AppId, UserId]], latest: dict[tuple[AppId, UserId], int]
) -> dict[tuple[AppId, UserId], int]:
    return {key: latest[key] - count + 1 for key, count in counts.items()}


def _data(row: NewMention, user_id: UserId) -> Mention:
    return Mention(
        id=row.id,
        user_id=user_id,
        mentioned_by=row.message.user_id,
        channel_id=row.message.channel_id,
        message_id=row.message.id,
        created_at=row.created_at,
    )
