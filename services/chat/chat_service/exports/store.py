"""SQL of exports: what there is about a user, or in a channel, one statement for each kind of line.

A statement's columns are named as the API's fields. All are read in one snapshot, by cursors, so that neither what
happens meanwhile nor the number of rows matters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final
from uuid import UUID

from chat_service.messages.store import TIMELINE_SEQ
from chatsdk_contracts.ids import AppId
from chatsdk_runtime.postgres import Connection, Row

_ROWS_AT_ONCE: Final = 500


async def read_user(connection: Connection, app_id: AppId, user_id: str) -> AsyncIterator[tuple[str, Row]]:
    """Everything about a user, by kind."""
    async for found in _read(connection, _OF_USER, UUID(app_id), user_id):
        yield found


async def read_channel(
    connection: Connection, app_id: AppId, channel_id: str
) -> AsyncIterator[tuple[str, Row]]:
    """Everything that members of a channel see, by kind."""
    async for found in _read(connection, _OF_CHANNEL, UUID(app_id), UUID(channel_id)):
        yield found


async def take_time(connection: Connection) -> None:
    """A snapshot is read as fast as the object store takes it: no limit on how long that is."""
    await connection.execute("set local idle_in_transaction_session_timeout = 0")
    await connection.execute("set local statement_timeout = 0")


async def _read(
    connection: Connection, statements: Mapping[str, str], *whose: object
) -> AsyncIterator[tuple[str, Row]]:
    for kind, statement in statements.items():
        async for row in connection.cursor(statement, *whose, prefetch=_ROWS_AT_ONCE):
            yield kind, row


_MESSAGE = """m.id, m.channel_id, m.user_id, m.type, m.text, m.text_mode, m.attachments, m.status, m.seq, m.thread_seq,
  m.version, m.client_msg_id, m.parent_id, m.reply_to_id, m.silent, m.custom, m.mentions, m.mention_groups, m.poll_id, m.reply_count, m.reaction_counts,
  m.pinned_at, m.pinned_by, m.created_at, m.updated_at, m.edited_at, m.deleted_at, m.deleted_by"""

_UPLOAD = (
    "id, user_id, channel_id, kind as content_kind, filename, content_type, size, width, height, created_at"
)

_OF_USER: Final[Mapping[str, str]] = {
    "user": """
select id, name, image, email, custom, created_at, updated_at, deactivated_at
from app_user
where app_id = $1 and id = $2
""",
    "member": """
select member.channel_id, channel.name as channel_name, channel.type as channel_type, member.user_id, member.role,
  member.joined_at, member.last_read_seq, member.read_at, member.muted_until, member.starred, member.hidden,
  member.cleared_seq, member.last_sent_at
from channel_member member
join channel on channel.id = member.channel_id
where member.app_id = $1 and member.user_id = $2
order by member.channel_id
""",
    "left": """
select channel_id, user_id, reason, left_at
from departure
where app_id = $1 and user_id = $2
order by channel_id
""",
    "workspace_member": """
select member.workspace_id, workspace.name as workspace_name, member.user_id, member.role, member.joined_at
from workspace_member member
join workspace on workspace.id = member.workspace_id
where member.app_id = $1 and member.user_id = $2
order by member.workspace_id
""",
    "invitation": """
select id, workspace_id, role, email, user_id, message, invited_by, created_at, expires_at, accepted_at, revoked_at
from workspace_invite
where app_id = $1 and $2 in (user_id, invited_by, accepted_by)
order by id
""",
    "channel_created": """
select id, type, name, description, image, custom, created_at, deleted_at
from channel
where app_id = $1 and created_by = $2
order by id
""",
    # By channel: the index of client ids begins with both.
    "message": f"""
select {_MESSAGE}
from channel
cross join lateral (
  select * from message where message.channel_id = channel.id and message.user_id = $2 order by message.id
) as m
where channel.app_id = $1
""",
    "message_version": """
select history.message_id, history.version, history.text, history.edited_at
from channel
join message on message.channel_id = channel.id and message.user_id = $2
join message_history history on history.message_id = message.id
where channel.app_id = $1
order by history.message_id, history.version
""",
    "reaction": """
select message_id, channel_id, user_id, type, created_at
from reaction
where app_id = $1 and user_id = $2
order by created_at, message_id, type
""",
    "poll": """
select poll.id, poll.channel_id, poll.message_id, poll.question, poll.is_anonymous, poll.is_multi_choice,
  poll.total_votes, poll.ends_at, poll.closed_at, poll.created_by, poll.created_at,
  (
    select jsonb_agg(jsonb_build_object('id', id, 'text', text, 'voteCount', vote_count) order by place)
    from poll_option
    where poll_id = poll.id
  ) as options
from poll
where poll.app_id = $1 and poll.created_by = $2
order by poll.id
""",
    "vote": """
select vote.poll_id, poll.channel_id, vote.user_id, vote.option_ids, vote.voted_at
from poll_vote vote
join poll on poll.id = vote.poll_id
where vote.app_id = $1 and vote.user_id = $2
order by vote.poll_id
""",
    "mention": """
select id, message_id, channel_id, user_id, mentioned_by, created_at
from mention
where app_id = $1 and user_id = $2
order by created_at, id
""",
    "thread": """
select parent_id, channel_id, user_id, reply_count, last_read_seq, followed
from thread_place
where app_id = $1 and user_id = $2
order by parent_id
""",
    "saved": """
select message_id, channel_id, user_id, saved_at
from saved_message
where app_id = $1 and user_id = $2
order by saved_at, message_id
""",
    "block": """
select user_id, blocked_id, blocked_at
from user_block
where app_id = $1 and user_id = $2
order by blocked_id
""",
    "presence": """
select user_id, chosen, last_seen_at
from user_presence
where app_id = $1 and user_id = $2
""",
    "upload": f"""
select {_UPLOAD}
from upload
where app_id = $1 and user_id = $2 and state <> 'removing'
order by id
""",
}

# As members see it: without what waits for a moderator, and what only a shadow-banned author sees.
_SHOWN = f"and {TIMELINE_SEQ} > channel.truncated_seq and m.shadowed_after is null"

_OF_CHANNEL: Final[Mapping[str, str]] = {
    "channel": """
select id, type, name, description, image, custom, config, created_by, workspace_id, external_id, member_count,
  message_count, frozen, created_at, updated_at, deleted_at
from channel
where app_id = $1 and id = $2
""",
    "member": """
select channel_id, user_id, role, joined_at
from channel_member
where app_id = $1 and channel_id = $2
order by user_id
""",
    "message": f"""
select {_MESSAGE}
from channel
join message m on m.channel_id = channel.id
where channel.app_id = $1 and channel.id = $2 {_SHOWN}
order by m.seq nulls last, m.id
""",
    "message_version": f"""
select history.message_id, history.version, history.text, history.edited_at, history.edited_by
from channel
join message m on m.channel_id = channel.id
join message_history history on history.message_id = m.id
where channel.app_id = $1 and channel.id = $2 {_SHOWN}
order by history.message_id, history.version
""",
    "reaction": f"""
select reaction.message_id, reaction.channel_id, reaction.user_id, reaction.type, reaction.created_at
from channel
join message m on m.channel_id = channel.id and m.deleted_at is null
join reaction on reaction.message_id = m.id
where channel.app_id = $1 and channel.id = $2 {_SHOWN}
order by reaction.message_id, reaction.type, reaction.created_at, reaction.user_id
""",
    "poll": f"""
select poll.id, poll.channel_id, poll.message_id, poll.question, poll.is_anonymous, poll.is_multi_choice,
  poll.total_votes, poll.ends_at, poll.closed_at, poll.created_by, poll.created_at,
  (
    select jsonb_agg(jsonb_build_object('id', id, 'text', text, 'voteCount', vote_count) order by place)
    from poll_option
    where poll_id = poll.id
  ) as options
from poll
join channel on channel.id = poll.channel_id
join message m on m.id = poll.message_id
where poll.app_id = $1 and poll.channel_id = $2 {_SHOWN}
order by poll.id
""",
    # Who voted in an anonymous poll is nobody's business.
    "vote": f"""
select vote.poll_id, poll.channel_id, vote.user_id, vote.option_ids, vote.voted_at
from poll
join channel on channel.id = poll.channel_id
join message m on m.id = poll.message_id
join poll_vote vote on vote.poll_id = poll.id
where poll.app_id = $1 and poll.channel_id = $2 and not poll.is_anonymous {_SHOWN}
order by vote.poll_id, vote.user_id
""",
    "upload": f"""
select {_UPLOAD}
from upload
where app_id = $1 and state = 'complete' and not shadowed and (
  channel_id = $2 or id in (
    select link.upload_id
    from channel
    join upload_link link on link.channel_id = channel.id
    join message m on m.id = link.message_id
    where channel.id = $2 {_SHOWN}
  )
)
order by id
""",
}
