"""A word list as it is shown."""

from __future__ import annotations

from chat_service.paging import Page
from chat_service.wordlists.matching import Action, Match
from chatsdk_contracts.channels import ChannelType
from chatsdk_contracts.wire import Timestamp, WireModel


class WordListEntry(WireModel):
    """A phrase, how it is looked for, and what follows; `channel_type` null: in channels of every type."""

    id: str
    phrase: str
    match: Match | str
    action: Action | str
    channel_type: ChannelType | str | None = None
    created_at: Timestamp


class WordList(Page):
    """All entries of an app: there are at most a thousand."""

    entries: list[WordListEntry]
