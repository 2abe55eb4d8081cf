"""Uploaded files. `url` is the stable address inside the product; whoever reads it needs the right to."""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ChannelId, UploadId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class Upload(WireModel):
    """A stored file. Size in bytes, duration in milliseconds."""

    id: UploadId
    channel_id: ChannelId | None = None
    user_id: UserId
    filename: str
    content_type: str
    size: int
    url: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    thumbnail_url: str | None = None
    blurhash: str | None = None
    created_at: Timestamp
    completed_at: Timestamp | None = None


class UploadCompleted(Event):
    """A file is stored and checked."""

    audience = Audience.USER
    aggregate = "uploads"
    type: Literal["upload.completed"] = "upload.completed"
    data: Upload
