"""Replies of search."""

from __future__ import annotations

from chat_service.paging import Page
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class SearchResult(WireModel):
    """A message that was found. `highlighted_text` is HTML: `<mark>` around the hits, everything else escaped."""

    message_id: MessageId
    channel_id: ChannelId
    channel_name: str | None
    user_id: UserId
    text: str
    highlighted_text: str
    seq: int | None
    created_at: Timestamp


class SearchPage(Page):
    """A page of results, newest first. `total_hits` is a lower bound unless `total_is_exact`."""

    results: list[SearchResult]
    total_hits: int
    total_is_exact: bool
    processing_time_ms: int = 0


class Suggestions(WireModel):
    """Words that the last one of the query may become."""

    suggestions: list[str]
