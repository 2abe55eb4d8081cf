"""What replies make of a thread, and of the places of those who take part in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.threads import ChangedThread, Thread

PARTICIPANTS_TOLD: Final = 5


@dataclass(frozen=True, slots=True)
class Before:
    """A thread before a batch of replies: `latest` participants, the latest first; `known`: those of the batch's
    authors who have replied before.
    """

    parent_id: MessageId
    channel_id: ChannelId
    author_id: UserId
    mentions: Sequence[UserId]
    reply_count: int
    last_thread_seq: int
    latest: Sequence[UserId]
    participant_count: int
    last_reply_at: datetime | None = None
    known: frozenset[UserId] = frozenset()


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """What a user keeps about a thread; who has nothing there does not follow."""

    followed: bool = False
    last_read_seq: int = 0


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """What a batch adds to a user's place in a thread.

    `read_seq`: how far they have read, by replying themselves; of who is new there and has not replied, where what is
    unread for them begins.
    """

    parent_id: MessageId
    channel_id: ChannelId
    user_id: UserId
    replies: int
    last_reply_seq: int
    read_seq: int


@dataclass(frozen=True, slots=True)
class Grown:
    """A thread after a batch: what is told of it, how many replies it gained, and how many participants."""

    thread: ChangedThread
    added: int
    joined: int
    places: Sequence[PlaceChange]


@dataclass(frozen=True, slots=True)
class Counted:
    """A thread that a batch adds to, and the version of its channel that this makes."""

    app_id: AppId
    grown: Grown
    cv: int


def grow(before: Before, replies: Sequence[Message]) -> Grown:
    """Add replies, in the order of their thread_seq; there is one at least."""
    last = replies[-1]
    assert last.thread_seq is not None, "a reply has its number in the thread"
    authors = list(dict.fromkeys(reply.user_id for reply in reversed(replies)))
    joined = sum(author not in before.known for author in authors)
    latest = list(dict.fromkeys([*authors, *before.latest]))[:PARTICIPANTS_TOLD]
    after = Thread(
        parent_id=before.parent_id,
        channel_id=before.channel_id,
        reply_count=before.reply_count + len(replies),
        last_thread_seq=last.thread_seq,
        participants=latest,
        participant_count=before.participant_count + joined,
        last_reply_at=last.created_at,
    )
    return Grown(changed(before, after), len(replies), joined, _places(before, replies))


def changed(before: Before, after: Thread) -> ChangedThread:
    """A thread with the names of what is different, as the event has them."""
    changes = {
        "replyCount": before.reply_count != after.reply_count,
        "lastThreadSeq": before.last_thread_seq != after.last_thread_seq,
        "lastReplyAt": before.last_reply_at != after.last_reply_at,
        "participants": list(before.latest) != after.participants,
        "participantCount": before.participant_count != after.participant_count,
    }
    names = [name for name, is_changed in changes.items() if is_changed]
    return ChangedThread(**dict(after), changed=names)


def state_changes(before: OwnPlace, after: OwnPlace) -> list[str]:
    """The names of what is different for the user, as the event has them."""
    changes = {
        "following": before.followed != after.followed,
        "lastReadSeq": before.last_read_seq != after.last_read_seq,
    }
    return [name for name, is_changed in changes.items() if is_changed]


def unread_count(last_thread_seq: int, last_read_seq: int) -> int:
    """Replies behind a marker; a deleted one counts until it is passed, as everywhere."""
    return max(0, last_thread_seq - last_read_seq)


def _places(before: Before, replies: Sequence[Message]) -> list[PlaceChange]:
    """Who replied, and who follows from now on: the author of the first message, and whoever is mentioned."""
    counts: dict[UserId, int] = {}
    last_seqs: dict[UserId, int] = {}
    starts: dict[UserId, int] = {}
    if before.last_thread_seq == 0:
        starts = dict.fromkeys([before.author_id, *before.mentions], 0)
    for reply in replies:
        thread_seq = reply.thread_seq or 0
        counts[reply.user_id] = counts.get(reply.user_id, 0) + 1
        last_seqs[reply.user_id] = thread_seq
        for user_id in reply.mentions:
            starts.setdefault(user_id, thread_seq - 1)
    return [
        PlaceChange(
            before.parent_id,
            before.channel_id,
            user_id,
            counts.get(user_id, 0),
            last_seqs.get(user_id, 0),
            last_seqs.get(user_id, starts.get(user_id, 0)),
        )
        for user_id in sorted({*counts, *starts})
    ]
