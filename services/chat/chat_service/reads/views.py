"""Read state as it is shown."""

from __future__ import annotations

from chat_service.paging import Page
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class Marker(WireModel):
    """The caller's marker in a channel: the greater generation wins, then the greater seq."""

    last_read_seq: int
    read_generation: int
    unread_count: int


class UnreadCount(WireModel):
    """Unread messages over all channels that are neither muted nor hidden, and how many channels have any."""

    count: int
    channels: int


class Reader(WireModel):
    """How far others know a member to have read; `told_at` is when they were told, null if by a message alone."""

    user_id: UserId
    name: str | None
    image: str | None
    last_read_seq: int
    told_at: Timestamp | None


class ReaderPage(Page):
    """Members by id."""

    members: list[Reader]
