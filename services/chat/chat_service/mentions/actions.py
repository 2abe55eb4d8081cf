"""Use cases of the inbox: list, count, mark as read; and whom one may mention in a channel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import orjson

from chat_service.auth.principal import Principal
from chat_service.mentions import inbox_store, member_store, rules
from chat_service.mentions.views import ListedMention, Mentionable, MentionChannel, Person, UnreadMentions
from chat_service.messages import views as message_views
from chat_service.messages.actions import require_readable
from chat_service.messages.rules import may_call_all
from chat_service.messages.store import message_of
from chat_service.paging import encode_cursor
from chatsdk_contracts.ids import ChannelId, MentionId, UserId
from chatsdk_contracts.wire import data_json, format_time
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def list_mentions(
    connection: Connection,
    caller: Principal,
    *,
    unread: bool,
    before: tuple[datetime, UUID | None] | None,
    limit: int,
) -> Answer:
    """The caller's inbox, the newest first, each with its message."""
    rows = await inbox_store.list_mentions(
        connection, caller.app_id, own_id(caller), unread=unread, before=before, limit=limit + 1
    )
    page, more = rows[:limit], len(rows) > limit
    messages = await message_views.shown(connection, caller, [message_of(row) for row in page], hides=True)
    listed = [
        b'%b,"message":%b}' % (data_json(_listed(row))[:-1], message)
        for row, message in zip(page, messages, strict=True)
    ]
    cursor = (
        encode_cursor(format_time(page[-1]["mentioned_at"]), str(page[-1]["mention_id"])) if more else None
    )
    tail = orjson.dumps({"nextCursor": cursor, "hasMore": more})
    return Answer(b'{"mentions":[%b],%b' % (b",".join(listed), tail[1:]))


async def count_unread(connection: Connection, caller: Principal, now: datetime) -> UnreadMentions:
    """How many mentions of the caller are unread."""
    count = await inbox_store.count_unread(connection, caller.app_id, own_id(caller), now)
    return UnreadMentions(count=count)


async def mark_read(
    tx: Transaction, caller: Principal, mention_ids: Sequence[str] | None, now: datetime
) -> UnreadMentions:
    """Mark mentions (None: all) as read, whether or not their messages are; returns what is still unread."""
    await inbox_store.mark_read(tx, caller.app_id, own_id(caller), mention_ids, now)
    return await count_unread(tx, caller, now)


async def find_mentionable(
    connection: Connection, caller: Principal, channel_id: ChannelId, prefix: str, *, limit: int
) -> Mentionable:
    """Members whose id or name begins so, and the groups that the caller may call; nobody where mentions are off."""
    standing = await require_readable(connection, caller, channel_id)
    if not standing.config.mentions:
        return Mentionable(users=[], groups=[])
    users = await member_store.find_members(
        connection, caller.app_id, channel_id, caller.user_id, prefix, limit=limit
    )
    may_call = may_call_all(standing.role, by_server=caller.user_id is None)
    return Mentionable(users=list(users), groups=rules.groups_from(prefix) if may_call else [])


def own_id(caller: Principal) -> UserId:
    """The caller of a route that is for users."""
    assert caller.user_id is not None, "the route is for users"
    return caller.user_id


def _listed(row: Row) -> ListedMention:
    return ListedMention(
        id=MentionId(str(row["mention_id"])),
        kind="channel" if row["to_all"] else "user",
        mentioned_at=row["mentioned_at"],
        mentioner=Person(id=row["mentioned_by"], name=row["mentioner_name"], image=row["mentioner_image"]),
        channel=MentionChannel(id=ChannelId(str(row["channel_id"])), name=row["channel_name"]),
        read=row["is_read"],
    )
