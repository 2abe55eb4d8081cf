"""Threads: what a parent message's replies amount to."""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class Thread(WireModel):
    """A thread as everybody sees it. `last_thread_seq` numbers its replies; `participants` are the latest few."""

    parent_id: MessageId
    channel_id: ChannelId
    reply_count: int
    last_thread_seq: int
    participants: list[UserId]
    participant_count: int
    last_reply_at: Timestamp | None


class ChangedThread(Thread):
    """A thread and the names of the fields that changed."""

    changed: list[str]


class UserThread(WireModel):
    """What a user keeps privately about a thread: whether it is among theirs, and up to which reply they have read."""

    user_id: UserId
    parent_id: MessageId
    channel_id: ChannelId
    following: bool
    last_read_seq: int


class ChangedUserThread(UserThread):
    """The same and the names of the fields that changed."""

    changed: list[str]


class ThreadUpdated(Event):
    """A thread gained or lost a reply."""

    audience = Audience.CHANNEL
    aggregate = "channels"
    type: Literal["thread.updated"] = "thread.updated"
    data: ChangedThread


class UserThreadUpdated(Event):
    """A user read a thread, or said whether they follow it, on one of their devices; replies and mentions make none."""

    audience = Audience.USER
    aggregate = "users"
    type: Literal["user_thread.updated"] = "user_thread.updated"
    data: ChangedUserThread
