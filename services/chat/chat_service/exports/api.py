"""HTTP in and out: asking for exports, and fetching them. Comes before the users' own routes, whose id may hold a slash."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from chat_service.auth.credentials import ChannelExporter, ChatReader, Exporter, ReadingUser
from chat_service.auth.principal import Principal
from chat_service.doors import mutate, require_channel_id, resources_of, utc_now
from chat_service.exports import actions
from chat_service.exports.errors import ExportExpired
from chat_service.wire_input import user_id_in_path, uuid_in_path
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["lifecycle"])

_LINES: Final = "application/x-ndjson"
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "One JSON object a line, each with its `kind`.",
        "content": {_LINES: {"schema": {"type": "string", "format": "binary"}}},
    },
    410: {"description": "Its time is over."},
}


@router.post("/api/users/me/export", status_code=201)
async def export_me(request: Request, caller: ReadingUser) -> Response:
    """Have everything about the caller written down, as readable lines."""
    return await _export_user(request, caller, caller.user_id)


# A user id may hold a slash.
@router.post("/api/users/{user_id:path}/export", status_code=201)
async def export_user(request: Request, user_id: str, caller: Exporter) -> Response:
    """Have everything about a user written down, as readable lines."""
    return await _export_user(request, caller, user_id_in_path(user_id))


async def _export_user(request: Request, caller: Principal, wanted: UserId | None) -> Response:
    now = utc_now()

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.export_user(tx, caller, wanted, now)), 201)

    return await mutate(request, caller.scope, effect)


@router.post("/api/channels/{channel_id}/export", status_code=201)
async def export_channel(request: Request, channel_id: str, caller: ChannelExporter) -> Response:
    """Have a channel written down, as readable lines: its owners, and the app's servers."""
    wanted, now = require_channel_id(channel_id), utc_now()

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.export_channel(tx, caller, wanted, now)), 201)

    return await mutate(request, caller.scope, effect)


@router.get("/api/exports/{export_id}")
async def get_export(request: Request, export_id: str, caller: ChatReader) -> Response:
    """How far an export is, and where it is to be fetched: who asked for it, and the app's servers."""
    async with reading(resources_of(request).pool) as connection:
        export = await actions.get_export(connection, caller, uuid_in_path(export_id))
    return RawJson(data_json(export))


@router.get("/api/exports/{export_id}/content", responses=_FILE)
async def get_content(request: Request, export_id: str, caller: ChatReader) -> Response:
    """The export itself, until it expires."""
    resources, canonical = resources_of(request), uuid_in_path(export_id)
    async with reading(resources.pool) as connection:
        path, size = await actions.find_file(connection, caller, canonical)
    content = await resources.depot.objects.read(path, 0, size)
    if content is None:
        raise ExportExpired
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="export-{canonical}.ndjson"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(content, headers=headers, media_type=_LINES)
