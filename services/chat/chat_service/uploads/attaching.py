"""Uploads as attachments of messages: looked up before a send waits for its batch, linked in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from chat_service.messages.rules import Send
from chat_service.uploads import store
from chat_service.uploads.store import StoredUpload
from chat_service.uploads.views import content_url, thumbnail_url
from chatsdk_contracts.ids import UploadId
from chatsdk_contracts.messages import Attachment
from chatsdk_runtime.errors import FieldProblem, InvalidInput
from chatsdk_runtime.postgres import Transaction

SendT = TypeVar("SendT", bound=Send)


def names_uploads(attachments: Sequence[Attachment]) -> bool:
    """Whether one of these is a file that was uploaded here."""
    return any(one.upload_id is not None for one in attachments)


async def with_uploads(tx: Transaction, send: SendT) -> SendT:
    """The send with what is known of its files in place of what it says of them.

    The files are held for a while: clean-up does not take one between here and the batch.

    Raises:
        InvalidInput: one is not a complete upload of the sender, by its place in the request.
    """
    ids = {one.upload_id for one in send.attachments if one.upload_id is not None}
    owner = None if send.by_server else send.user_id
    found = {one.id: one for one in await store.hold(tx, send.app_id, sorted(ids), owner)}
    problems = [
        FieldProblem(f"attachments[{index}].uploadId", "not_found", "no complete upload of this user")
        for index, one in enumerate(send.attachments)
        if one.upload_id is not None and one.upload_id not in found
    ]
    if problems:
        raise InvalidInput(
            f"{problems[0].path}: {problems[0].message}",
            hint="Upload first: POST /api/uploads/direct, or presign, PUT and confirm.",
            details=problems,
        )
    return replace(send, attachments=[_described(one, found) for one in send.attachments])


def _described(attachment: Attachment, found: Mapping[UploadId, StoredUpload]) -> Attachment:
    if attachment.upload_id is None:
        return attachment
    upload = found[attachment.upload_id]
    return attachment.model_copy(
        update={
            "url": content_url(upload.id),
            "name": attachment.name or upload.filename,
            "mime_type": upload.content_type,
            "size": upload.size,
            "width": upload.width,
            "height": upload.height,
            "thumbnail_url": thumbnail_url(upload),
        }
    )
