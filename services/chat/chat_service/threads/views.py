"""Threads as one reader sees them."""

from __future__ import annotations

from chat_service.messages.views import ViewedMessage
from chat_service.paging import Page
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import HiddenMessage
from chatsdk_contracts.wire import Timestamp, WireModel


class OwnThread(WireModel):
    """What a user keeps about a thread: whether it is among theirs, and how far they have read.

    `unread_count` is of followers; who does not follow has nothing unread.
    """

    parent_id: MessageId
    channel_id: ChannelId
    following: bool
    last_read_seq: int
    last_thread_seq: int
    unread_count: int


class Participant(WireModel):
    """Who replied, how often, and when last as the place in the thread."""

    id: UserId
    name: str | None
    image: str | None
    reply_count: int
    last_thread_seq: int


class ParticipantPage(Page):
    """A page of participants."""

    participants: list[Participant]


class ThreadChannel(WireModel):
    """The channel of a listed thread."""

    id: ChannelId
    name: str | None


class ListedThread(OwnThread):
    """A thread among others; its first message and its last reply stand beside it."""

    channel: ThreadChannel
    reply_count: int
    last_reply_at: Timestamp | None
    participants: list[UserId]
    participant_count: int


class ThreadPage(Page):
    """A message and a page of the replies to it; for a user with what they keep about the thread."""

    parent: ViewedMessage | HiddenMessage
    replies: list[ViewedMessage | HiddenMessage]
    participant_count: int
    last_thread_seq: int
    following: bool = False
    last_read_seq: int = 0
    unread_count: int = 0


class ShownThread(ListedThread):
    """A listed thread with its first message and its last reply."""

    parent: ViewedMessage | HiddenMessage
    last_reply: ViewedMessage | HiddenMessage | None


class ListedThreadPage(Page):
    """Threads that one follows, the latest reply first."""

    threads: list[ShownThread]


class UnreadThreads(WireModel):
    """`count` threads with something unread, `replies` in all of them."""

    count: int
    replies: int
