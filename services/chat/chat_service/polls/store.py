"""SQL of polls. Whoever writes here holds the row lock of the poll's channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.messages.store import TIMELINE_SEQ
from chat_service.polls.views import Voter
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, PollId, UserId
from chatsdk_contracts.polls import Poll, PollOption
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class Place:
    """Where a poll is: it does not move. `only_for`: who alone sees its message, when not all members do."""

    channel_id: ChannelId
    only_for: UserId | None


async def place_of(
    connection: Connection, app_id: AppId, poll_id: PollId, user_id: UserId | None
) -> Place | None:
    """Where a poll is; None when its message is truncated, cleared by this user, or not for them to see."""
    row = await connection.fetchrow(_PLACE_OF, UUID(app_id), UUID(poll_id), user_id)
    return None if row is None else Place(ChannelId(str(row["channel_id"])), row["only_for"])


async def fetch_poll(connection: Connection, app_id: AppId, poll_id: PollId) -> Poll | None:
    """One poll."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), UUID(poll_id))
    return None if row is None else _poll(row)


async def fetch_poll_of(connection: Connection, app_id: AppId, message_id: MessageId) -> Poll | None:
    """The poll of a message."""
    row = await connection.fetchrow(_FETCH_OF, UUID(app_id), UUID(message_id))
    return None if row is None else _poll(row)


async def fetch_polls(connection: Connection, ids: Sequence[PollId]) -> dict[PollId, Poll]:
    """These polls by id; the caller has seen to it that they may be read."""
    rows = await connection.fetch(_FETCH_ALL, [UUID(one) for one in ids])
    return {(poll := _poll(row)).id: poll for row in rows}


async def choices_of(
    connection: Connection, ids: Sequence[PollId], user_id: UserId
) -> dict[PollId, list[str]]:
    """What a user chose in each of these polls that they voted in."""
    rows = await connection.fetch(_CHOICES_OF, [UUID(one) for one in ids], user_id)
    return {PollId(str(row["poll_id"])): row["option_ids"] for row in rows}


async def insert_poll(tx: Transaction, app_id: AppId, poll: Poll) -> None:
    """A new poll with its options."""
    await tx.execute(
        _INSERT,
        UUID(poll.id),
        UUID(app_id),
        UUID(poll.channel_id),
        UUID(poll.message_id),
        poll.question,
        poll.is_anonymous,
        poll.is_multi_choice,
        poll.ends_at,
        poll.created_by,
        poll.created_at,
    )
    await tx.execute(
        _INSERT_OPTIONS,
        UUID(poll.id),
        [option.id for option in poll.options],
        [option.text for option in poll.options],
    )


async def show_with_message(tx: Transaction, poll: Poll, cv: int, event_id: str) -> None:
    """Let the message name its poll, and know the event that says what the poll asks."""
    await tx.execute(
        _SHOW_WITH_MESSAGE, UUID(poll.message_id), UUID(poll.id), cv, poll.updated_at, UUID(event_id)
    )


async def note_event(tx: Transaction, message_id: MessageId, event_id: str) -> None:
    """Let the message know one more event that says what its poll asks: its deletion redacts them."""
    await tx.execute(_NOTE_EVENT, UUID(message_id), UUID(event_id))


async def fetch_choice(connection: Connection, poll_id: PollId, user_id: UserId) -> list[str]:
    """What a user chose; empty for who has not voted."""
    return await connection.fetchval(_FETCH_CHOICE, UUID(poll_id), user_id) or []


async def write_choice(
    tx: Transaction, app_id: AppId, poll: Poll, user_id: UserId, option_ids: Sequence[str]
) -> None:
    """Set a user's whole choice (empty withdraws it), and the poll's counts with it."""
    if option_ids:
        await tx.execute(
            _WRITE_CHOICE, UUID(poll.id), user_id, UUID(app_id), list(option_ids), poll.updated_at
        )
    else:
        await tx.execute("delete from poll_vote where poll_id = $1 and user_id = $2", UUID(poll.id), user_id)
    await tx.execute(
        _WRITE_COUNTS,
        UUID(poll.id),
        poll.total_votes,
        poll.updated_at,
        [option.id for option in poll.options],
        [option.vote_count for option in poll.options],
    )


async def mark_closed(tx: Transaction, poll: Poll) -> None:
    """Close a poll."""
    await tx.execute(_MARK_CLOSED, UUID(poll.id), poll.closed_at, poll.updated_at)


async def list_voters(
    connection: Connection, poll_id: PollId, option_id: str | None, *, after: str, limit: int
) -> list[Voter]:
    """Voters by user id, those behind one; of one option or of all."""
    rows = await connection.fetch(_LIST_VOTERS, UUID(poll_id), option_id, after, limit)
    return [
        Voter(user_id=row["user_id"], option_ids=row["option_ids"], voted_at=row["voted_at"]) for row in rows
    ]


@dataclass(frozen=True, slots=True)
class DuePoll:
    """A poll whose time is over and that nobody has closed yet."""

    app_id: AppId
    channel_id: ChannelId
    id: PollId


async def due_polls(connection: Connection, now: datetime, limit: int) -> list[DuePoll]:
    """Polls to be closed, the longest due first."""
    rows = await connection.fetch(_DUE, now, limit)
    return [
        DuePoll(AppId(str(row["app_id"])), ChannelId(str(row["channel_id"])), PollId(str(row["id"])))
        for row in rows
    ]


def _poll(row: Row) -> Poll:
    options = zip(row["option_ids"], row["option_texts"], row["vote_counts"], strict=True)
    return Poll(
        id=PollId(str(row["id"])),
        channel_id=ChannelId(str(row["channel_id"])),
        message_id=MessageId(str(row["message_id"])),
        question=row["question"],
        options=[PollOption(id=option_id, text=text, vote_count=count) for option_id, text, count in options],
        is_anonymous=row["is_anonymous"],
        is_multi_choice=row["is_multi_choice"],
        total_votes=row["total_votes"],
        ends_at=row["ends_at"],
        closed_at=row["closed_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


_PLACE_OF = f"""
select poll.channel_id, case when m.shadowed_after is not null then m.user_id end as only_for
from poll
join channel on channel.id = poll.channel_id
join message m on m.id = poll.message_id
left join channel_member member on member.channel_id = poll.channel_id and member.user_id = $3
where poll.app_id = $1 and poll.id = $2 and {TIMELINE_SEQ} > greatest(channel.truncated_seq, member.cleared_seq)
  and (m.shadowed_after is null or m.user_id = $3 or $3 is null)
"""

_POLL = """
select poll.*, option.ids as option_ids, option.texts as option_texts, option.counts as vote_counts
from poll
cross join lateral (
  select array_agg(id order by place) as ids, array_agg(text order by place) as texts,
    array_agg(vote_count order by place) as counts
  from poll_option
  where poll_id = poll.id
) as option
"""

_FETCH = f"{_POLL} where poll.app_id = $1 and poll.id = $2"

_FETCH_OF = f"{_POLL} where poll.app_id = $1 and poll.message_id = $2"

_FETCH_ALL = f"{_POLL} where poll.id = any($1::uuid[])"

_CHOICES_OF = "select poll_id, option_ids from poll_vote where poll_id = any($1::uuid[]) and user_id = $2"

_INSERT = """
insert into poll (
  id, app_id, channel_id, message_id, question, is_anonymous, is_multi_choice, ends_at, created_by, created_at,
  updated_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
"""

_INSERT_OPTIONS = """
insert into poll_option (poll_id, id, text, place)
select $1, id, text, place
from unnest($2::text[], $3::text[]) with ordinality as option (id, text, place)
"""

_SHOW_WITH_MESSAGE = """
update message
set poll_id = $2, cv = $3, updated_at = $4, event_ids = event_ids || $5::uuid
where id = $1
"""

_NOTE_EVENT = "update message set event_ids = event_ids || $2::uuid where id = $1"

_FETCH_CHOICE = "select option_ids from poll_vote where poll_id = $1 and user_id = $2"

_WRITE_CHOICE = """
insert into poll_vote (poll_id, user_id, app_id, option_ids, voted_at)
values ($1, $2, $3, $4, $5)
on conflict (poll_id, user_id) do update set option_ids = excluded.option_ids, voted_at = excluded.voted_at
"""

_WRITE_COUNTS = """
with totals as (
  update poll set total_votes = $2, updated_at = $3 where id = $1
)
update poll_option set vote_count = counted.vote_count
from unnest($4::text[], $5::int[]) as counted (id, vote_count)
where poll_option.poll_id = $1 and poll_option.id = counted.id
  and poll_option.vote_count <> counted.vote_count
"""

_MARK_CLOSED = "update poll set closed_at = $2, updated_at = $3 where id = $1"

_LIST_VOTERS = """
select user_id, option_ids, voted_at
from poll_vote
where poll_id = $1 and ($2::text is null or $2 = any(option_ids)) and user_id > $3
order by user_id
limit $4
"""

_DUE = """
select poll.app_id, poll.channel_id, poll.id
from poll
join channel on channel.id = poll.channel_id
where poll.closed_at is null and poll.ends_at <= $1 and channel.deleted_at is null
order by poll.ends_at
limit $2
"""
