"""Replies about uploads that are more than the resource."""

from __future__ import annotations

from chat_service.paging import Page
from chat_service.uploads.store import StoredUpload
from chatsdk_contracts.ids import UploadId
from chatsdk_contracts.uploads import Upload
from chatsdk_contracts.wire import Timestamp, WireModel


class UploadPage(Page):
    """A page of a channel's files, newest first."""

    uploads: list[Upload]


class PresignedUpload(WireModel):
    """Where the file goes: `method` to `uploadUrl` with `headers`, before `expiresAt`; then confirm."""

    id: UploadId
    method: str
    upload_url: str
    headers: dict[str, str]
    expires_at: Timestamp


class SignedLink(WireModel):
    """Addresses that need no credential until `expiresAt`; for who cannot send a header."""

    url: str
    thumbnail_url: str | None
    expires_at: Timestamp


def content_url(upload_id: UploadId) -> str:
    """The stable address of a file's content."""
    return f"/api/uploads/{upload_id}/content"


def thumbnail_url(upload: StoredUpload) -> str | None:
    """The stable address of its thumbnail; None when it has none."""
    return None if upload.thumbnail_path is None else f"/api/uploads/{upload.id}/thumbnail"


def as_shown(upload: StoredUpload) -> Upload:
    """A row as the API shows it."""
    return Upload(
        id=upload.id,
        channel_id=upload.channel_id,
        user_id=upload.user_id,
        filename=upload.filename,
        content_type=upload.content_type,
        size=upload.size,
        url=content_url(upload.id),
        width=upload.width,
        height=upload.height,
        thumbnail_url=thumbnail_url(upload),
        created_at=upload.created_at,
        completed_at=upload.completed_at,
    )
