"""Data exports of a user, a channel or a whole app; where to fetch one is asked of the API, never in an event."""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, ExportId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel

ExportKind = Literal["user", "channel", "app"]


class Export(WireModel):
    """A finished export; `user_id` or `channel_id` says of what, by `kind`. Size in bytes."""

    id: ExportId
    kind: ExportKind | str
    user_id: UserId | None = None
    channel_id: ChannelId | None = None
    requested_by: UserId | None = None
    size: int
    created_at: Timestamp
    completed_at: Timestamp
    expires_at: Timestamp | None = None


class ExportCompleted(Event):
    """An export can be fetched."""

    audience = Audience.SERVER
    aggregate = "exports"
    type: Literal["export.completed"] = "export.completed"
    data: Export
