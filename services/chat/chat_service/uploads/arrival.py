"""What happens to a file when it arrives: it is stored or copied, judged, and looked at if it is a picture.

Called by the door between the two transactions of `actions`; nothing here touches the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from chat_service.uploads.depot import Depot
from chat_service.uploads.errors import UploadMismatch
from chat_service.uploads.images import Picture
from chat_service.uploads.intake import Intake
from chat_service.uploads.rules import folder_of, incoming_path, kind_of, settled_type
from chat_service.uploads.sniffing import HEAD_BYTES, sniff
from chat_service.uploads.store import StoredUpload
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.errors import ServiceError


async def take_in(
    depot: Depot, upload: StoredUpload, chunks: AsyncIterator[bytes]
) -> tuple[StoredUpload, bytes]:
    """Store an announced file while it arrives; returns what is known of it then, and its SHA-256.

    Raises:
        ContentMismatch: it is not what it is declared to be.
        FileTooLarge: it has more bytes than a file of its kind may have.
    """
    intake = Intake(upload.content_type, depot.limits)
    path = f"{folder_of(upload.id)}/content"
    try:
        await depot.objects.put(path, intake.passing(chunks))
    except ServiceError as refusal:
        depot.instruments.uploads.labels(
            intake.kind, "refused" if refusal.status_code < 500 else "failed"
        ).inc()
        raise
    arrived = replace(
        upload, kind=intake.kind, content_type=intake.content_type, size=intake.size, content_path=path
    )
    return await _with_picture(depot, arrived), intake.digest


async def check_arrived(depot: Depot, upload: StoredUpload) -> StoredUpload | None:
    """Look at a file that was written to its signed address; None when nothing is there (any more).

    It is judged as a copy: whoever holds the address may write to it again.

    Raises:
        UploadMismatch: its size or content is not what was announced.
    """
    copy = f"{folder_of(upload.id)}/content-{new_id()}"
    if not await depot.objects.copy(incoming_path(upload.id), copy):
        return None
    try:
        return await _with_picture(depot, await _judged(depot, replace(upload, content_path=copy)))
    except UploadMismatch:
        depot.instruments.uploads.labels(upload.kind, "refused").inc()
        await depot.objects.remove(copy)
        raise


async def _judged(depot: Depot, upload: StoredUpload) -> StoredUpload:
    path = _content_path(upload)
    size = await depot.objects.size(path)
    if size != upload.size:
        raise UploadMismatch(f"{upload.size} bytes were announced, {size} have arrived.")
    head = await depot.objects.read_whole(path, HEAD_BYTES)
    content_type = settled_type(upload.content_type, sniff(head), head)
    if content_type is None:
        raise UploadMismatch(f"The content is not of the type {upload.content_type!r}.")
    kind = kind_of(content_type)
    if upload.size > depot.limits[kind]:
        raise UploadMismatch(f"A file of the kind {kind!r} has at most {depot.limits[kind]} bytes.")
    return replace(upload, kind=kind, content_type=content_type)


async def _with_picture(depot: Depot, upload: StoredUpload) -> StoredUpload:
    if upload.kind != "image":
        return upload
    path = _content_path(upload)
    content = await depot.objects.read_whole(path, depot.limits["image"])
    picture: Picture | None = await depot.darkroom.develop(content)
    if picture is None:
        return upload
    sized = replace(upload, width=picture.width, height=picture.height)
    if picture.thumbnail is None:
        return sized
    # Beside its own content, so that two attempts do not share one.
    thumbnail_path = path.replace("/content", "/thumbnail")
    await depot.objects.put(thumbnail_path, _once(picture.thumbnail))
    return replace(sized, thumbnail_path=thumbnail_path)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _content_path(upload: StoredUpload) -> str:
    assert upload.content_path is not None, "a file that has arrived is somewhere"
    return upload.content_path
