"""Use cases of polls, one transaction each: lock the channel, read what decides, write, log the event.

Who voted in an anonymous poll goes into `poll_vote` and nowhere else: the event has no actor, and no trace that would
lead to the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chat_service.channels import access
from chat_service.channels.member_store import fetch_role
from chat_service.channels.rules import Actor, require_member
from chat_service.errors import ChannelNotFound, MessageNotFound
from chat_service.events.log import Cause, append, channel_event
from chat_service.messages.rules import ScreenedText
from chat_service.messages.shadows import only_reader
from chat_service.messages.store import next_cv
from chat_service.messages.visible_store import fetch_readable
from chat_service.moderation.admission import require_free
from chat_service.moderation.errors import NotEditable
from chat_service.paging import encode_cursor
from chat_service.polls import rules, store
from chat_service.polls.errors import PollExists, PollNotFound
from chat_service.polls.views import PollResults, PollView
from chat_service.screening.gate import passed
from chatsdk_contracts.channels import Channel
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, PollId, UserId, new_id
from chatsdk_contracts.polls import (
    Poll,
    PollClosed,
    PollCreated,
    PollOption,
    PollVote,
    PollVoted,
    PollVoteRemoved,
)
from chatsdk_runtime.errors import Conflict, Forbidden, ServiceError
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class NewPoll:
    """What a poll is made from."""

    question: ScreenedText
    options: Sequence[PollOption]
    is_anonymous: bool
    is_multi_choice: bool
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Voter:
    """Who votes, and whether the app's server does it for them."""

    user_id: UserId
    by_server: bool


async def attach(
    tx: Transaction,
    cause: Cause,
    channel_id: ChannelId | None,
    message_id: MessageId,
    new: NewPoll | ServiceError,
) -> Poll:
    """Give a message its poll; its author (or the app's server) may, once. `new` is what the gate made of it.

    Raises:
        PollExists: it has one.
    """
    stored, actor = await access.lock_for(tx, cause.app_id, channel_id, cause.actor_id)
    channel = stored.channel
    rules.require_polls(actor, channel, by_server=actor.user_id is None)
    restraint = await require_free(tx, cause.app_id, channel.id, actor.user_id)
    message = await fetch_readable(tx, channel.id, message_id, stored.truncated_seq, actor.user_id)
    if message is None:
        raise MessageNotFound
    only_for = only_reader(message)
    if restraint.is_shadowed and only_for is None:
        raise NotEditable
    if actor.user_id not in {None, message.user_id}:
        raise Forbidden("Only its author may attach a poll to a message.")
    if message.deleted_at is not None:
        raise Conflict("The message is deleted.")
    existing = await store.fetch_poll_of(tx, cause.app_id, message_id)
    if existing is not None:
        raise PollExists(existing)
    new = passed(new)
    poll = Poll(
        id=PollId(new_id()),
        channel_id=channel.id,
        message_id=message_id,
        question=new.question,
        options=list(new.options),
        is_anonymous=new.is_anonymous,
        is_multi_choice=new.is_multi_choice,
        ends_at=new.ends_at,
        created_by=message.user_id,
        created_at=cause.now,
        updated_at=cause.now,
    )
    await store.insert_poll(tx, cause.app_id, poll)
    cv = await next_cv(tx, channel.id)
    event = channel_event(PollCreated, cause, channel.id, cv, poll, only_for=only_for)
    await store.show_with_message(tx, poll, cv, event.id)
    await append(tx, [event])
    return poll


async def vote(
    tx: Transaction, cause: Cause, poll_id: PollId | None, voter: Voter, option_ids: Sequence[str]
) -> PollView:
    """Set the voter's whole choice; none withdraws the vote. The same choice again changes nothing."""
    poll, channel, actor, only_for = await _locked(tx, cause.app_id, poll_id, voter.user_id)
    rules.require_polls(actor, channel, by_server=voter.by_server)
    restraint = await require_free(tx, cause.app_id, channel.id, voter.user_id)
    rules.require_open(poll, cause.now)
    rules.require_choice(poll, option_ids)
    before, after = await store.fetch_choice(tx, poll.id, voter.user_id), rules.in_order(poll, option_ids)
    if before == after:
        return PollView(**dict(poll), own_option_ids=after)
    poll = rules.counted(poll, before, after, cause.now)
    if restraint.is_shadowed and only_for is None:
        # Told as if it counted.
        return PollView(**dict(poll), own_option_ids=after)
    await _write_vote(tx, cause, poll, Choice(voter.user_id, before, after), only_for)
    return PollView(**dict(poll), own_option_ids=after)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a voter chose, and chooses now."""

    user_id: UserId
    before: Sequence[str]
    after: Sequence[str]


async def _write_vote(
    tx: Transaction, cause: Cause, poll: Poll, choice: Choice, only_for: UserId | None
) -> None:
    """Write a voter's new choice, the counts that it makes, and the event."""
    user_id, before, after = choice.user_id, choice.before, choice.after
    await store.write_choice(tx, cause.app_id, poll, user_id, after)
    if poll.is_anonymous:
        cause = replace(cause, actor_id=None, traceparent=None)
    data = PollVote(
        poll_id=poll.id,
        message_id=poll.message_id,
        channel_id=poll.channel_id,
        user_id=rules.voter_shown(poll, user_id),
        is_anonymous=poll.is_anonymous,
        option_ids=list(after or before),
        counts={option.id: option.vote_count for option in poll.options},
        total_votes=poll.total_votes,
    )
    cv = await next_cv(tx, poll.channel_id)
    event_class = PollVoted if after else PollVoteRemoved
    await append(tx, [channel_event(event_class, cause, poll.channel_id, cv, data, only_for=only_for)])


async def withdraw(tx: Transaction, cause: Cause, poll_id: PollId, user_id: UserId) -> None:
    """Take back a vote in a poll whose channel is locked, whoever the voter is by now; what is closed stays counted."""
    poll = await store.fetch_poll(tx, cause.app_id, poll_id)
    if poll is None or poll.closed_at is not None:
        return
    before = await store.fetch_choice(tx, poll.id, user_id)
    if before:
        place = await store.place_of(tx, cause.app_id, poll_id, None)
        only_for = None if place is None else place.only_for
        counted = rules.counted(poll, before, [], cause.now)
        await _write_vote(tx, cause, counted, Choice(user_id, before, []), only_for)


async def close(tx: Transaction, cause: Cause, poll_id: PollId | None) -> PollView:
    """Take no more votes; closing a closed poll changes nothing."""
    poll, channel, actor, only_for = await _locked(tx, cause.app_id, poll_id, cause.actor_id)
    rules.require_closer(poll, actor)
    await require_free(tx, cause.app_id, channel.id, actor.user_id)
    if poll.closed_at is None:
        poll = await _close(tx, cause, poll, cause.now, only_for)
    own = [] if actor.user_id is None else await store.fetch_choice(tx, poll.id, actor.user_id)
    return PollView(**dict(poll), own_option_ids=own)


async def close_ended(tx: Transaction, cause: Cause, due: store.DuePoll) -> bool:
    """Close a poll whose time is over; False when somebody was quicker, or it is gone."""
    try:
        await access.lock_for(tx, cause.app_id, due.channel_id, None)
    except ChannelNotFound:
        return False
    poll = await store.fetch_poll(tx, cause.app_id, due.id)
    if poll is None or poll.closed_at is not None or poll.ends_at is None or poll.ends_at > cause.now:
        return False
    place = await store.place_of(tx, cause.app_id, due.id, None)
    # Votes were refused from that moment on, however late this comes.
    if place is not None:
        await _close(tx, cause, poll, poll.ends_at, place.only_for)
    else:
        # Of what is truncated or deleted nobody hears; left open it would come up again and again.
        await store.mark_closed(tx, poll.model_copy(update={"closed_at": poll.ends_at}))
    return True


async def get_poll(
    connection: Connection, app_id: AppId, poll_id: PollId | None, user_id: UserId | None
) -> PollView:
    """A poll of a channel whose member the caller is (`user_id` None: the app's server)."""
    place = None if poll_id is None else await store.place_of(connection, app_id, poll_id, user_id)
    if poll_id is None or place is None:
        raise PollNotFound
    try:
        channel = await access.find_visible(connection, app_id, place.channel_id, user_id)
        role = None if user_id is None else await fetch_role(connection, channel.id, user_id)
        require_member(Actor(user_id, role), channel)
    except ChannelNotFound:
        raise PollNotFound from None
    poll = await store.fetch_poll(connection, app_id, poll_id)
    if poll is None:
        raise PollNotFound
    own = [] if user_id is None else await store.fetch_choice(connection, poll.id, user_id)
    return PollView(**dict(poll), own_option_ids=own)


async def poll_results(
    connection: Connection, poll: PollView, option_id: str | None, *, after: str, limit: int
) -> PollResults:
    """The counts with a page of voters; nobody's name when the poll is anonymous."""
    if poll.is_anonymous:
        return PollResults(**dict(poll), voters=None, next_cursor=None, has_more=False)
    found = await store.list_voters(connection, poll.id, option_id, after=after, limit=limit + 1)
    page, more = found[:limit], len(found) > limit
    cursor = encode_cursor(page[-1].user_id) if more else None
    return PollResults(**dict(poll), voters=page, next_cursor=cursor, has_more=more)


async def _locked(
    tx: Transaction, app_id: AppId, poll_id: PollId | None, user_id: UserId | None
) -> tuple[Poll, Channel, Actor, UserId | None]:
    """The poll as last committed with its channel locked, who the user is there, and who alone sees it if not all."""
    place = None if poll_id is None else await store.place_of(tx, app_id, poll_id, user_id)
    if poll_id is None or place is None:
        raise PollNotFound
    try:
        stored, actor = await access.lock_for(tx, app_id, place.channel_id, user_id)
        require_member(actor, stored.channel)
    except ChannelNotFound:
        # Who may not know of the channel learns nothing of the poll either.
        raise PollNotFound from None
    poll = await store.fetch_poll(tx, app_id, poll_id)
    if poll is None:
        raise PollNotFound
    return poll, stored.channel, actor, place.only_for


async def _close(
    tx: Transaction, cause: Cause, poll: Poll, closed_at: datetime, only_for: UserId | None
) -> Poll:
    poll = poll.model_copy(update={"closed_at": closed_at, "updated_at": cause.now})
    await store.mark_closed(tx, poll)
    cv = await next_cv(tx, poll.channel_id)
    event = channel_event(PollClosed, cause, poll.channel_id, cv, poll, only_for=only_for)
    await store.note_event(tx, poll.message_id, event.id)
    await append(tx, [event])
    return poll
