"""A legal hold as it is shown."""

from __future__ import annotations

from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class Hold(WireModel):
    """What nobody may delete: all of a channel, or all that a user wrote; `reason` is for the app's own people."""

    id: str
    channel_id: ChannelId | None = None
    user_id: UserId | None = None
    reason: str | None = None
    created_at: Timestamp
    released_at: Timestamp | None = None
