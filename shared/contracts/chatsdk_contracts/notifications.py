"""Notifications that fall due: what an app's server turns into a push message or an e-mail.

Carries ids, not texts: the app asks for what the user may see at that moment.
"""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, MessageId, NotificationId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel

NotificationKind = Literal["message", "mention", "thread_reply", "reaction", "invite"]


class Notification(WireModel):
    """Whom to tell about what."""

    id: NotificationId
    user_id: UserId
    kind: NotificationKind | str
    channel_id: ChannelId | None = None
    message_id: MessageId | None = None
    due_at: Timestamp
    created_at: Timestamp


class NotificationDue(Event):
    """A user who is away is to be told about something."""

    audience = Audience.SERVER
    aggregate = "users"
    type: Literal["notification.due"] = "notification.due"
    data: Notification
