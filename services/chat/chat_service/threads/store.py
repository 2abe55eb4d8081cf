"""SQL of threads: what a batch of replies has to know, and the places of those who take part or follow."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chat_service.threads.rules import PARTICIPANTS_TOLD, Before, PlaceChange
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.threads import Thread
from chatsdk_runtime.postgres import Transaction


async def threads_before(
    tx: Transaction, parent_ids: Sequence[MessageId], authors: Sequence[UserId]
) -> list[Before]:
    """Threads under their channels' locks, in the order of `parent_ids`, and which of these users have replied."""
    rows = await tx.fetch(_BEFORE, [UUID(one) for one in parent_ids], authors)
    return [
        Before(
            parent_id=MessageId(str(row["id"])),
            channel_id=ChannelId(str(row["channel_id"])),
            author_id=row["user_id"],
            mentions=row["mentions"],
            reply_count=row["reply_count"],
            last_thread_seq=row["last_thread_seq"],
            latest=row["latest"],
            participant_count=row["participant_count"],
            last_reply_at=row["last_reply_at"],
            known=frozenset(row["known"]),
        )
        for row in rows
    ]


async def add_to_places(tx: Transaction, places: Sequence[tuple[AppId, PlaceChange]]) -> None:
    """Add to what there is, or begin; who has said whether they follow is left to that."""
    changes = [place for _, place in places]
    await tx.execute(
        _ADD_TO_PLACES,
        [UUID(place.parent_id) for place in changes],
        [place.user_id for place in changes],
        [UUID(app_id) for app_id, _ in places],
        [UUID(place.channel_id) for place in changes],
        [place.replies for place in changes],
        [place.last_reply_seq for place in changes],
        [place.read_seq for place in changes],
    )


async def recount(tx: Transaction, parent_id: MessageId, author_id: UserId, *, added: int, cv: int) -> Thread:
    """Count a reply out or in, which is written as deleted or present already; the thread after it."""
    parent = UUID(parent_id)
    # How many participants this makes more or fewer: the author's first reply, or the last one that was left.
    joined: int | None = await tx.fetchval(_RECOUNT_PLACE, parent, author_id, added)
    row = await tx.fetchrow(_RECOUNT, parent, added, joined or 0, cv)
    assert row is not None, "a reply has its thread's first message"
    return Thread(
        parent_id=parent_id,
        channel_id=ChannelId(str(row["channel_id"])),
        reply_count=row["reply_count"],
        last_thread_seq=row["last_thread_seq"],
        participants=row["latest"],
        participant_count=row["participant_count"],
        last_reply_at=row["last_reply_at"],
    )


async def follow(
    tx: Transaction, app_id: AppId, parent: tuple[ChannelId, MessageId], user_id: UserId, *, followed: bool
) -> None:
    """Write the user's own choice; for who is new there nothing that was said is unread."""
    channel_id, parent_id = parent
    await tx.execute(_FOLLOW, UUID(parent_id), user_id, UUID(app_id), UUID(channel_id), followed)


async def read_up_to(
    tx: Transaction, app_id: AppId, parent: tuple[ChannelId, MessageId], user_id: UserId, thread_seq: int
) -> None:
    """Move the user's marker up; it never goes back. Reading makes nobody a follower."""
    channel_id, parent_id = parent
    await tx.execute(_READ_UP_TO, UUID(parent_id), user_id, UUID(app_id), UUID(channel_id), thread_seq)


async def next_version(tx: Transaction, app_id: AppId, user_id: UserId) -> int:
    """Count one more change of what only a locked user sees; the version that its event gets."""
    version: int = await tx.fetchval(_NEXT_VERSION, UUID(app_id), user_id)
    return version


# The latest participants of the thread whose first message is `m`.
LATEST = f"""array(
    select place.user_id
    from thread_place as place
    where place.parent_id = m.id and place.reply_count > 0
    order by place.last_reply_seq desc
    limit {PARTICIPANTS_TOLD}
  )"""

_BEFORE = f"""
select m.id, m.channel_id, m.user_id, m.mentions, m.reply_count, m.last_thread_seq, m.participant_count,
  m.last_reply_at, {LATEST} as latest,
  array(
    select place.user_id
    from thread_place as place
    where place.parent_id = m.id and place.user_id = any($2::text[]) and place.reply_count > 0
  ) as known
from unnest($1::uuid[]) with ordinality as wanted (id, position)
join message as m on m.id = wanted.id
order by wanted.position
"""

# In the order of keys, so that two batches with the same users wait for each other, never in a circle.
_ADD_TO_PLACES = """
insert into thread_place as place
  (parent_id, user_id, app_id, channel_id, reply_count, last_reply_seq, last_read_seq, followed)
select parent_id, user_id, app_id, channel_id, replies, last_reply_seq, read_seq, true
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::int[], $6::bigint[], $7::bigint[])
  as added (parent_id, user_id, app_id, channel_id, replies, last_reply_seq, read_seq)
order by parent_id, user_id
on conflict (parent_id, user_id) do update
set reply_count = place.reply_count + excluded.reply_count,
  last_reply_seq = greatest(place.last_reply_seq, excluded.last_reply_seq),
  last_read_seq = case
    when excluded.reply_count > 0 or not place.followed and not place.is_choice
    then greatest(place.last_read_seq, excluded.last_read_seq)
    else place.last_read_seq
  end,
  followed = place.followed or not place.is_choice
"""

_NEXT_VERSION = """
update app_user
set version = version + 1, state_version = state_version + 1
where app_id = $1 and id = $2
returning version
"""

_FOLLOW = """
insert into thread_place as place (parent_id, user_id, app_id, channel_id, last_read_seq, followed, is_choice)
select m.id, $2, $3, $4, m.last_thread_seq, $5, true
from message as m
where m.id = $1
on conflict (parent_id, user_id) do update
set followed = $5, is_choice = true,
  last_read_seq = case
    when $5 and not place.followed then greatest(place.last_read_seq, excluded.last_read_seq)
    else place.last_read_seq
  end
"""

_READ_UP_TO = """
insert into thread_place as place (parent_id, user_id, app_id, channel_id, last_read_seq, followed)
values ($1, $2, $3, $4, $5, false)
on conflict (parent_id, user_id) do update
set last_read_seq = greatest(place.last_read_seq, excluded.last_read_seq)
"""

_RECOUNT_PLACE = """
update thread_place
set reply_count = reply_count + $3
where parent_id = $1 and user_id = $2
returning case when reply_count - $3 <= 0 then 1 when reply_count <= 0 then -1 else 0 end
"""

_RECOUNT = f"""
update message as m
set reply_count = m.reply_count + $2, participant_count = m.participant_count + $3, cv = $4,
  last_reply_at = (
    select reply.created_at
    from message as reply
    where reply.parent_id = m.id and reply.deleted_at is null and reply.thread_seq is not null
    order by reply.thread_seq desc
    limit 1
  )
where m.id = $1
returning m.channel_id, m.reply_count, m.last_thread_seq, m.participant_count, m.last_reply_at, {LATEST} as latest
"""
