"""HTTP in: a file of lines to be imported, and how far that is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from chat_service.auth.credentials import Importer
from chat_service.doors import mutate_once, resources_of, utc_now
from chat_service.errors import StorageAway
from chat_service.imports import actions
from chat_service.imports.errors import ImportEmpty
from chat_service.jobs import store as jobs
from chat_service.jobs.rules import Job
from chat_service.resources import Resources
from chat_service.wire_input import uuid_in_path
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer, call_about
from chatsdk_runtime.postgres import Transaction, reading, transaction
from chatsdk_runtime.web import BodyLimit, RawJson, streamed_body

router = APIRouter(tags=["lifecycle"])

_LINES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-ndjson": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def body_limit(most_bytes: int) -> BodyLimit:
    """The path that takes a whole file of lines, for `new_app`."""
    return BodyLimit(re.compile(r"/api/import"), most_bytes)


@router.post("/api/import", status_code=202, openapi_extra=_LINES)
async def import_lines(request: Request, caller: Importer) -> Response:
    """Import users, channels, members, messages and reactions: one JSON object a line, each with its `kind`."""
    resources = resources_of(request)
    async with transaction(resources.pool) as tx:
        job = await actions.announce(tx, caller.app_id, utc_now())
    passing = _Passing(streamed_body(request))
    try:
        await resources.depot.objects.put(job.file_path or "", passing.chunks())
        if not passing.size:
            raise ImportEmpty
        call = call_about(request, caller.scope, passing.digest)

        async def effect(tx: Transaction) -> Answer:
            return Answer(data_json(await actions.start(tx, job, passing.size)), 202)

        answer = await mutate_once(request, call, effect)
    except BaseException:
        await _discard(resources, job)
        raise
    if "idempotent-replayed" in answer.headers:
        await _discard(resources, job)
    return answer


@router.get("/api/imports/{import_id}")
async def get_import(request: Request, import_id: str, caller: Importer) -> Response:
    """How far an import is: whole counts, and the first hundred lines that were refused, each with its number."""
    async with reading(resources_of(request).pool) as connection:
        shown = await actions.get_import(connection, caller.app_id, uuid_in_path(import_id))
    return RawJson(data_json(shown))


class _Passing:
    """A body on its way into the object store, measured and fingerprinted."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> bytes:
        """SHA-256 of what has passed."""
        return self._digest.digest()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The same bytes."""
        async for chunk in self._body:
            self.size += len(chunk)
            self._digest.update(chunk)
            yield chunk


async def _discard(resources: Resources, job: Job) -> None:
    """Nothing is imported: the file first, then the note of where it is. What fails now is done by the job itself."""
    with suppress(StorageAway):
        await resources.depot.objects.remove(job.file_path or "")
        async with transaction(resources.pool) as tx:
            await jobs.delete(tx, job.id)
