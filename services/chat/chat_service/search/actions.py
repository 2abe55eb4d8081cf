"""Use cases of search: messages that the caller may see, and words that complete a query.

Where one may look is settled first and anew for each call: a member who left a channel finds nothing in it any more.
What the index gives is checked against the messages as they are now, so that it may be late and never wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from chat_service.channels import access
from chat_service.channels import rules as channel_rules
from chat_service.channels.member_store import fetch_role
from chat_service.paging import broken_cursor, decode_cursor, encode_cursor, time_in_cursor
from chat_service.search import store
from chat_service.search.rules import SearchQuery, completions, highlight
from chat_service.search.store import Candidates, Field, FoundMessage
from chat_service.search.views import SearchPage, SearchResult, Suggestions
from chat_service.search.words import words_of
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_runtime.postgres import Transaction

# More channels than this cost the index more than filtering what it finds.
_FEW_CHANNELS: Final = 16
_SAMPLE: Final = 200
_MOST_SUGGESTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom to search: a user, or (no user) everything of the app."""

    app_id: AppId
    user_id: UserId | None


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a search; None does not. `since` is included, `until` is not."""

    channel_id: ChannelId | None = None
    author: UserId | None = None
    since: datetime | None = None
    until: datetime | None = None
    has_attachment: bool | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How many messages a walk looks at, and up to which number hits are counted."""

    steps: int
    most_counted: int


# So many messages are looked at one by one in about 20 ms; a word that is rarer than that the index finds quickly.
NORMAL_EFFORT: Final = Effort(steps=10_000, most_counted=1_000)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page: how long, and the `nextCursor` of the one before."""

    limit: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the page before ended, and the total that it told."""

    before: tuple[datetime, UUID]
    total: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class _Sought:
    """Where to look, about how many messages are there (None: not known), and how long a walk may be."""

    field: Field
    size: int | None
    steps: int


async def search(
    tx: Transaction,
    reader: Reader,
    query: SearchQuery | None,
    filters: Filters,
    paging: Paging,
    effort: Effort = NORMAL_EFFORT,
) -> SearchPage:
    """A page of hits, newest first.

    Raises:
        ChannelNotFound, NotAMember: the channel asked for is not one of the reader's.
    """
    place = _place(paging.cursor)
    limit = paging.limit
    field, size = await _field(tx, reader, filters)
    if query is None:
        return SearchPage(results=[], total_hits=0, total_is_exact=True, next_cursor=None, has_more=False)
    if place is not None:
        field = replace(field, before=place.before)
    found = await _candidates(tx, _Sought(field, size, effort.steps), query, limit + 1)
    page, more = found.newest[:limit], len(found.newest) > limit
    present = await store.present_messages(
        tx, reader.app_id, reader.user_id, [hit.message_id for hit in page]
    )
    results = [_result(present[hit.message_id], query) for hit in page if hit.message_id in present]
    total, is_exact = min(found.total, effort.most_counted), found.is_complete
    is_exact = is_exact and found.total <= effort.most_counted
    if place is not None:
        total, is_exact = place.total, place.is_exact
    return SearchPage(
        results=[result for result in results if result is not None],
        total_hits=total,
        total_is_exact=is_exact,
        next_cursor=_cursor(page[-1], total, is_exact=is_exact) if more else None,
        has_more=more,
    )


async def suggest(
    tx: Transaction, reader: Reader, query: SearchQuery | None, channel_id: ChannelId | None
) -> Suggestions:
    """Words from the newest hits that complete the query's last word; none while there is hardly a beginning."""
    field, size = await _field(tx, reader, Filters(channel_id))
    if query is None or query.unfinished is None:
        return Suggestions(suggestions=[])
    found = await _candidates(tx, _Sought(field, size, NORMAL_EFFORT.steps), query, _SAMPLE)
    ids = [hit.message_id for hit in found.newest]
    present = await store.present_messages(tx, reader.app_id, reader.user_id, ids)
    texts = [present[message_id].text for message_id in ids if message_id in present]
    matching = [text for text in texts if query.matches(words_of(text))]
    return Suggestions(suggestions=completions(query.unfinished, matching, _MOST_SUGGESTIONS))


async def _field(tx: Transaction, reader: Reader, filters: Filters) -> tuple[Field, int | None]:
    """Where to look, and about how many messages are there (None: not known)."""
    channels: Sequence[UUID] | None = None
    size = None
    if filters.channel_id is not None:
        channel = await access.find_visible(tx, reader.app_id, filters.channel_id, reader.user_id)
        role = None if reader.user_id is None else await fetch_role(tx, channel.id, reader.user_id)
        # An open channel is seen by everybody; what is said in it is read by its members.
        channel_rules.require_member(channel_rules.Actor(reader.user_id, role), channel)
        channels = [UUID(channel.id)]
    elif reader.user_id is not None:
        channels, size = await store.channels_of(tx, reader.app_id, reader.user_id)
    field = Field(
        app_id=reader.app_id,
        channels=channels,
        author=filters.author,
        since=filters.since,
        until=filters.until,
        has_attachment=filters.has_attachment,
        before=None,
    )
    return field, size


async def _candidates(tx: Transaction, sought: _Sought, query: SearchQuery, limit: int) -> Candidates:
    """The newest hits: by a walk over the newest messages, and by the index when that was not enough."""
    field, size, steps = sought.field, sought.size, sought.steps
    channels = field.channels
    if channels is not None and not channels:
        return Candidates([], 0, is_complete=True)
    await store.plan_for_values(tx)
    tsquery = query.tsquery
    if channels is not None and len(channels) == 1:
        found = await store.walk_channel(tx, field, tsquery, limit, steps)
    elif size is not None and size <= steps:
        found = await store.walk_channels(tx, field, tsquery, limit, steps)
    else:
        found = await store.walk_app(tx, field, tsquery, limit, steps)
    if found.is_complete or found.total >= limit:
        return found
    within = channels if channels is not None and len(channels) <= _FEW_CHANNELS else []
    return await store.all_hits(tx, field, tsquery, limit, within=within)


def _result(message: FoundMessage, query: SearchQuery) -> SearchResult | None:
    """The message as a result; None when its present text is no hit any more."""
    words = words_of(message.text)
    if not query.matches(words):
        return None
    return SearchResult(
        message_id=message.id,
        channel_id=message.channel_id,
        channel_name=message.channel_name,
        user_id=message.user_id,
        text=message.text,
        highlighted_text=highlight(message.text, words, query),
        seq=message.seq,
        created_at=message.created_at,
    )


def _cursor(last: store.Candidate, total: int, *, is_exact: bool) -> str:
    return encode_cursor(
        last.created_at.isoformat(), str(last.message_id), str(total), "1" if is_exact else "0"
    )


def _place(cursor: str | None) -> _Place | None:
    position = decode_cursor(cursor, 4)
    if position is None:
        return None
    at, message_id, total, is_exact = position
    try:
        return _Place((time_in_cursor(at), UUID(message_id)), int(total), is_exact == "1")
    except ValueError:
        raise broken_cursor() from None
