"""HTTP out: a file's content and thumbnail, whole or in part; links without a credential; a channel's files.

What is served here was written by somebody else than its reader: `rules.content_headers` keeps it harmless.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from chat_service.auth.credentials import ChatReader, Guard
from chat_service.doors import resources_of, utc_now
from chat_service.paging import Cursor, Limit, broken_cursor, decode_cursor
from chat_service.uploads import actions, store
from chat_service.uploads.api import base_url, upload_id_in_path
from chat_service.uploads.errors import UploadNotFound
from chat_service.uploads.images import THUMBNAIL_TYPE
from chat_service.uploads.rules import ByteRange, Kind, content_headers, matches_tag, wanted_range
from chat_service.uploads.signing import require_signed, signed_query
from chat_service.uploads.store import StoredUpload
from chat_service.uploads.views import SignedLink, as_shown, content_url, thumbnail_url
from chat_service.wire_input import RequestModel, channel_id_in_path, uuid_in_path
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import reading
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["uploads"])

_SHORTEST_LINK_S: Final = 10
_LONGEST_LINK_S: Final = 7 * 24 * 3_600
_BINARY: Final[dict[str, Any]] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_PARTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": _BINARY},
    206: {"description": "The part of it that `Range` asks for.", "content": _BINARY},
    304: {"description": "`If-None-Match` names it."},
    416: {"description": "It has no such part."},
}


class MakeLink(RequestModel):
    """For how many seconds."""

    expires_in_s: Annotated[int, Field(ge=_SHORTEST_LINK_S, le=_LONGEST_LINK_S)] = 3_600


@dataclass(frozen=True, slots=True)
class Served:
    """One object as it is served. Its content never changes, so that its path is its tag. Size in bytes."""

    path: str
    size: int
    headers: dict[str, str]

    @property
    def tag(self) -> str:
        """A strong entity tag."""
        return f'"{self.path.replace("/", "-")}"'


_READER = Guard("chat:read", "either")


async def _readable(
    request: Request,
    upload_id: str,
    expires: Annotated[str | None, Query(max_length=32)] = None,
    signature: Annotated[str | None, Query(max_length=128)] = None,
) -> StoredUpload:
    """The file, for the holder of a link or for a caller who may read it."""
    resources, wanted = resources_of(request), upload_id_in_path(upload_id)
    upload: StoredUpload | None
    if expires is not None or signature is not None:
        require_signed(resources.keyring, "read", wanted, expires=expires, signature=signature, now=utc_now())
        async with reading(resources.pool) as connection:
            upload = await store.fetch_any(connection, wanted)
    else:
        caller = await _READER(request)
        async with reading(resources.pool) as connection:
            upload = await actions.find_readable(connection, caller, wanted)
    if upload is None or upload.content_path is None:
        raise UploadNotFound
    return upload


@router.get("/api/uploads/{upload_id}")
async def get_upload(request: Request, upload_id: str, caller: ChatReader) -> Response:
    """What is known of a file that the caller may read."""
    wanted = upload_id_in_path(upload_id)
    async with reading(resources_of(request).pool) as connection:
        upload = await actions.find_readable(connection, caller, wanted)
    return RawJson(data_json(as_shown(upload)))


@router.get("/api/uploads/{upload_id}/content", responses=_PARTS)
@router.head("/api/uploads/{upload_id}/content", responses=_PARTS)
async def get_content(request: Request, upload: Annotated[StoredUpload, Depends(_readable)]) -> Response:
    """The file: to its uploader, to the members of the channels that show it, and to the holder of a link."""
    headers = content_headers(upload.filename, upload.content_type)
    return await _serve(request, Served(upload.content_path or "", upload.size, headers))


@router.get("/api/uploads/{upload_id}/thumbnail", responses=_PARTS)
@router.head("/api/uploads/{upload_id}/thumbnail", responses=_PARTS)
async def get_thumbnail(request: Request, upload: Annotated[StoredUpload, Depends(_readable)]) -> Response:
    """A small picture of an image; 404 where there is none."""
    path = upload.thumbnail_path
    size = None if path is None else await resources_of(request).depot.objects.size(path)
    if path is None or size is None:
        raise UploadNotFound
    return await _serve(request, Served(path, size, content_headers("thumbnail.webp", THUMBNAIL_TYPE)))


@router.post("/api/uploads/{upload_id}/link")
async def make_link(
    request: Request, upload_id: str, caller: ChatReader, body: MakeLink | None = None
) -> Response:
    """Addresses that need no header, for `<img>` and the like; they outlive the caller's right to read."""
    resources, wanted = resources_of(request), upload_id_in_path(upload_id)
    async with reading(resources.pool) as connection:
        upload = await actions.find_readable(connection, caller, wanted)
    if upload.state != "complete":
        raise UploadNotFound
    lifetime = timedelta(seconds=(body or MakeLink()).expires_in_s)
    expires_at = (utc_now() + lifetime).replace(microsecond=0)
    query, base = signed_query(resources.keyring, "read", wanted, expires_at), base_url(request, resources)
    small = thumbnail_url(upload)
    link = SignedLink(
        url=f"{base}{content_url(wanted)}?{query}",
        thumbnail_url=None if small is None else f"{base}{small}?{query}",
        expires_at=expires_at,
    )
    return RawJson(data_json(link))


@router.get("/api/channels/{channel_id}/uploads", tags=["channels"])
async def list_uploads(
    request: Request,
    channel_id: str,
    caller: ChatReader,
    type: Kind | None = None,  # noqa: A002  # the name in the query
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The files that were uploaded to a channel or are shown in it, newest first; for its members."""
    before = _before(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await actions.list_uploads(
            connection, caller, channel_id_in_path(channel_id), type, before=before, limit=limit
        )
    return RawJson(data_json(page))


def _before(cursor: str | None) -> UUID | None:
    position = decode_cursor(cursor, 1)
    if position is None:
        return None
    canonical = uuid_in_path(position[0])
    if canonical is None:
        raise broken_cursor()
    return UUID(canonical)


async def _serve(request: Request, served: Served) -> Response:
    headers = {**served.headers, "ETag": served.tag}
    if matches_tag(request.headers.get("if-none-match"), served.tag):
        return Response(status_code=304, headers=headers)
    wanted = wanted_range(_range_header(request, served), served.size)
    if wanted == "unsatisfiable":
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{served.size}"})
    status, part = 200, ByteRange(0, served.size)
    if isinstance(wanted, ByteRange):
        status, part = 206, wanted
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{served.size}"
    headers["Content-Length"] = str(part.end - part.start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    content: AsyncIterator[bytes] | None
    content = await resources_of(request).depot.objects.read(served.path, part.start, part.end)
    if content is None:
        raise UploadNotFound
    return StreamingResponse(content, status, headers)


def _range_header(request: Request, served: Served) -> str | None:
    """`Range`, unless `If-Range` says that the reader has a part of something else."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition in {None, served.tag} else None
