"""Use cases of threads: read one, see who takes part, follow or not, move one's marker, list one's own.

A thread is where its first message is: who may read that may read all of it, and what is truncated or cleared takes
its replies along. What a user keeps about it changes under the user's lock, and their other devices are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from chat_service.auth.principal import Principal
from chat_service.events.log import Cause, append, user_event
from chat_service.memberstate.store import lock_user
from chat_service.messages import views as message_views
from chat_service.messages.actions import require_message
from chat_service.messages.store import message_of
from chat_service.messages.visible_store import list_own_replies
from chat_service.paging import encode_cursor
from chat_service.threads import list_store, rules, store
from chat_service.threads.rules import OwnPlace
from chat_service.threads.views import ListedThread, OwnThread, ParticipantPage, ThreadChannel
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.threads import ChangedUserThread, UserThreadUpdated
from chatsdk_contracts.wire import data_json, format_time
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class Where:
    """Which thread, and who looks at it."""

    caller: Principal
    channel_id: ChannelId
    parent_id: MessageId


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a thread: behind a place, before a place or a time, or (none of them) its end."""

    limit: int
    after_seq: int | None = None
    before_seq: int | None = None
    before_time: datetime | None = None

    def reaches_end(self, cursor: str | None) -> bool:
        """Whether the page has the thread's newest reply, given where the list goes on."""
        if self.before_seq is not None or self.before_time is not None:
            return False
        return self.after_seq is None or cursor is None


async def read_thread(connection: Connection, where: Where, part: Part) -> Answer:
    """The first message and a page of replies, ascending; `nextCursor` goes on in the direction asked for."""
    parent = await require_parent(connection, where)
    replies, cursor = await _replies(connection, parent.id, part)
    if where.caller.user_id is not None and part.reaches_end(cursor):
        # What the caller alone sees has no place in the thread: it stands at its end, by its time.
        own = await list_own_replies(connection, parent.id, where.caller.user_id, part.limit)
        replies = sorted([*replies, *own], key=lambda one: one.created_at) if own else replies
    shown = await message_views.shown(connection, where.caller, [parent, *replies], hides=True)
    head = await list_store.fetch_head(connection, parent.id, where.caller.user_id)
    state: dict[str, object] = {
        "participantCount": head.participant_count,
        "nextCursor": cursor,
        "hasMore": cursor is not None,
    }
    if where.caller.user_id is None:
        state["lastThreadSeq"] = head.last_thread_seq
    else:
        state |= _own(parent, head).model_dump(
            mode="json", by_alias=True, exclude={"parent_id", "channel_id"}
        )
    return Answer(
        b'{"parent":%b,"replies":[%b],%b' % (shown[0], b",".join(shown[1:]), orjson.dumps(state)[1:])
    )


async def list_participants(
    connection: Connection, where: Where, *, before: int | None, limit: int
) -> ParticipantPage:
    """Who replied, the latest first."""
    parent = await require_parent(connection, where)
    found = await list_store.list_participants(connection, parent.id, before=before, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    return ParticipantPage(
        participants=page,
        next_cursor=encode_cursor(str(page[-1].last_thread_seq)) if more else None,
        has_more=more,
    )


async def follow(tx: Transaction, cause: Cause, where: Where, *, followed: bool) -> OwnThread:
    """Follow a thread from now on, or not any more, whatever else is said there."""
    user_id = own_id(where.caller)
    await lock_user(tx, cause.app_id, user_id)
    parent = await require_parent(tx, where)
    before = await list_store.fetch_head(tx, parent.id, user_id)
    await store.follow(tx, cause.app_id, (parent.channel_id, parent.id), user_id, followed=followed)
    return await _told(tx, cause, parent, user_id, before.own)


async def mark_read(tx: Transaction, cause: Cause, where: Where, thread_seq: int | None) -> OwnThread:
    """Move one's marker up to a reply (None: everything so far); one that is there already stays."""
    user_id = own_id(where.caller)
    await lock_user(tx, cause.app_id, user_id)
    parent = await require_parent(tx, where)
    before = await list_store.fetch_head(tx, parent.id, user_id)
    wanted = before.last_thread_seq if thread_seq is None else min(thread_seq, before.last_thread_seq)
    if wanted > before.own.last_read_seq:
        await store.read_up_to(tx, cause.app_id, (parent.channel_id, parent.id), user_id, wanted)
    return await _told(tx, cause, parent, user_id, before.own)


async def _told(
    tx: Transaction, cause: Cause, parent: Message, user_id: UserId, before: OwnPlace
) -> OwnThread:
    """What a locked user has now; their other devices hear of it if it is different."""
    head = await list_store.fetch_head(tx, parent.id, user_id)
    if changed := rules.state_changes(before, head.own):
        data = ChangedUserThread(
            user_id=user_id,
            parent_id=parent.id,
            channel_id=parent.channel_id,
            following=head.own.followed,
            last_read_seq=head.own.last_read_seq,
            changed=changed,
        )
        version = await store.next_version(tx, cause.app_id, user_id)
        await append(tx, [user_event(UserThreadUpdated, cause, user_id, version, data)])
    return _own(parent, head)


async def seq_of(connection: Connection, where: Where, reply_id: MessageId) -> int:
    """The place of a reply in the thread.

    Raises:
        MessageNotFound: there is no such message, or none that the caller may see.
        InvalidInput: it stands in another thread, or in none.
    """
    reply, _ = await require_message(connection, where.caller, where.channel_id, reply_id)
    if reply.parent_id != where.parent_id or reply.thread_seq is None:
        raise invalid_field("messageId", "not_in_thread", "is no reply of this thread")
    return reply.thread_seq


async def list_threads(
    connection: Connection,
    caller: Principal,
    *,
    unread: bool,
    before: list_store.Position | None,
    limit: int,
) -> Answer:
    """The threads that the caller follows, the latest reply first, each with its first message and its last reply."""
    rows = await list_store.list_threads(
        connection, caller.app_id, own_id(caller), unread=unread, before=before, limit=limit + 1
    )
    page, more = rows[:limit], len(rows) > limit
    parents = [message_of(row) for row in page]
    last = await list_store.last_replies(connection, [parent.id for parent in parents])
    replies = [last[parent.id] for parent in parents if parent.id in last]
    shown = await message_views.shown(connection, caller, [*parents, *replies], hides=True)
    bodies = dict(zip([message.id for message in [*parents, *replies]], shown, strict=True))
    listed = [
        _listed(row, parent, bodies[parent.id], bodies[last[parent.id].id] if parent.id in last else b"null")
        for row, parent in zip(page, parents, strict=True)
    ]
    cursor = encode_cursor(format_time(page[-1]["listed_at"]), str(page[-1]["id"])) if more else None
    tail = orjson.dumps({"nextCursor": cursor, "hasMore": more})
    return Answer(b'{"threads":[%b],%b' % (b",".join(listed), tail[1:]))


async def require_parent(connection: Connection, where: Where) -> Message:
    """The thread's first message, perhaps as a tombstone.

    Raises:
        NotFound: no such channel or message, or none that the caller may see.
        NotAMember: the channel is known to the caller, who is not in it.
        InvalidInput: it is itself a reply.
    """
    message, _ = await require_message(connection, where.caller, where.channel_id, where.parent_id)
    if message.parent_id is not None:
        raise invalid_field(
            "messageId", "is_reply", f"is itself a reply; its thread is that of message {message.parent_id}"
        )
    return message


def own_id(caller: Principal) -> UserId:
    """The caller of a route that is for users."""
    assert caller.user_id is not None, "the route is for users"
    return caller.user_id


async def _replies(
    connection: Connection, parent_id: MessageId, part: Part
) -> tuple[list[Message], str | None]:
    if part.after_seq is not None:
        found = await list_store.replies_after(connection, parent_id, part.after_seq, part.limit + 1)
        replies = found[: part.limit]
        return replies, f"after:{replies[-1].thread_seq}" if len(found) > part.limit else None
    before_seq = part.before_seq
    if part.before_time is not None:
        before_seq = await list_store.seq_before(connection, parent_id, part.before_time)
    found = await list_store.replies_before(connection, parent_id, before_seq, part.limit + 1)
    replies = found[-part.limit :]
    return replies, f"before:{replies[0].thread_seq}" if len(found) > part.limit else None


def _own(parent: Message, head: list_store.Head) -> OwnThread:
    own = head.own
    unread = rules.unread_count(head.last_thread_seq, own.last_read_seq) if own.followed else 0
    return OwnThread(
        parent_id=parent.id,
        channel_id=parent.channel_id,
        following=own.followed,
        last_read_seq=own.last_read_seq,
        last_thread_seq=head.last_thread_seq,
        unread_count=unread,
    )


def _listed(row: Row, parent: Message, parent_body: bytes, last_reply: bytes) -> bytes:
    thread = ListedThread(
        parent_id=parent.id,
        channel_id=parent.channel_id,
        following=True,
        last_read_seq=row["own_read_seq"],
        last_thread_seq=row["last_thread_seq"],
        unread_count=rules.unread_count(row["last_thread_seq"], row["own_read_seq"]),
        channel=ThreadChannel(id=parent.channel_id, name=row["channel_name"]),
        reply_count=parent.reply_count,
        last_reply_at=parent.last_reply_at,
        participants=row["latest"],
        participant_count=row["participant_count"],
    )
    return b'%b,"parent":%b,"lastReply":%b}' % (data_json(thread)[:-1], parent_body, last_reply)
