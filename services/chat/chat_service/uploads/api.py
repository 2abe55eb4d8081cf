"""HTTP in: /api/uploads, where files come in: whole in a form, or presigned, written and confirmed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from chat_service.auth.credentials import UploadWriter
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, mutate_once, resources_of, utc_now
from chat_service.resources import Resources
from chat_service.uploads import actions, arrival, store
from chat_service.uploads.actions import Draft
from chat_service.uploads.errors import LinkInvalid, UploadMismatch, UploadNotFound
from chat_service.uploads.form import FileForm
from chat_service.uploads.intake import at_most
from chat_service.uploads.rules import UNKNOWN_TYPE, Kind, incoming_path
from chat_service.uploads.signing import require_signed, signed_query
from chat_service.uploads.store import StoredUpload
from chat_service.uploads.views import PresignedUpload
from chat_service.wire_input import InputUserId, Line, Name, RequestModel, uuid_in_path
from chatsdk_contracts.ids import ChannelId, UploadId, UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Forbidden, invalid_field
from chatsdk_runtime.idempotency import Answer, call_about
from chatsdk_runtime.postgres import Transaction, reading, transaction
from chatsdk_runtime.web import BodyLimit, streamed_body

router = APIRouter(prefix="/api/uploads", tags=["uploads"])

_FORM_BYTES: Final = 65_536
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "channelId": {"type": "string", "format": "uuid"},
                        "userId": {"type": "string", "description": "Whose file it is; with an API key."},
                    },
                }
            }
        },
    }
}
_BYTES: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class FormFields(RequestModel):
    """What may stand in the form beside the file."""

    channel_id: str | None = None
    user_id: InputUserId | None = None


class PresignUpload(RequestModel):
    """A file to be announced. Size in bytes."""

    filename: Name
    content_type: Annotated[Line, Field(min_length=1, max_length=255)]
    size: Annotated[int, Field(ge=0, le=2**53)]
    channel_id: str | None = None
    user_id: InputUserId | None = None


def body_limits(limits: Mapping[Kind, int]) -> list[BodyLimit]:
    """The two paths that take files, for `new_app`; what a file of its kind may have is judged on the way in."""
    path = re.compile(r"/api/uploads/(direct|[^/]+/data)")
    return [BodyLimit(path, max(limits.values()) + _FORM_BYTES)]


@router.post("/direct", status_code=201, openapi_extra=_FORM)
async def upload_direct(request: Request, caller: UploadWriter) -> Response:
    """Store a file that comes with the request."""
    resources, now = resources_of(request), utc_now()
    form = FileForm(request)
    await form.find_file()
    async with transaction(resources.pool) as tx:
        announced = await actions.announce(tx, _draft_of_form(caller, form, now), resources.depot)
    async with actions.discarded_if_refused(resources, announced.id, now):
        arrived, digest = await arrival.take_in(resources.depot, announced, form.chunks())
        # Fields may stand behind the file.
        whole = _draft_of_form(caller, form, now)
        answer = await _complete_direct(request, caller, arrived, whole, digest)
    await actions.settle(resources, arrived, now)
    return answer


async def _complete_direct(
    request: Request, caller: Principal, arrived: StoredUpload, whole: Draft, digest: bytes
) -> Response:
    if whole.user_id != arrived.user_id:
        raise invalid_field("userId", "too_late", "must stand before the file")
    placed = actions.placed(arrived, whole.channel_id)
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    asked = "\x1f".join([whole.filename, whole.content_type, whole.user_id, whole.channel_id or ""])
    call = call_about(request, caller.scope, asked.encode() + digest)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.complete(tx, cause, caller, placed)), 201)

    return await mutate_once(request, call, effect)


@router.post("/presigned", status_code=201)
async def presign_upload(request: Request, body: PresignUpload, caller: UploadWriter) -> Response:
    """Announce a file, and get the address that takes it."""
    resources, now = resources_of(request), utc_now()
    lifetime = timedelta(seconds=resources.settings.upload_url_lifetime_s)
    expires_at = (now + lifetime).replace(microsecond=0)
    draft = Draft(
        caller,
        _uploader(caller, body.user_id),
        _channel_id(body.channel_id),
        body.filename,
        body.content_type,
        now,
        body.size,
        expires_at,
    )

    async def effect(tx: Transaction) -> Answer:
        announced = await actions.announce(tx, draft, resources.depot)
        address = await resources.depot.objects.signed_put(incoming_path(announced.id), lifetime)
        presigned = PresignedUpload(
            id=announced.id,
            method="PUT",
            upload_url=address or _own_address(request, resources, announced),
            headers={"Content-Type": announced.content_type},
            expires_at=expires_at,
        )
        return Answer(data_json(presigned), 201)

    return await mutate(request, caller.scope, effect)


@router.put("/{upload_id}/data", status_code=204, openapi_extra=_BYTES)
async def put_data(
    request: Request,
    upload_id: str,
    expires: Annotated[str | None, Query(max_length=32)] = None,
    signature: Annotated[str | None, Query(max_length=128)] = None,
) -> Response:
    """Take an announced file; the address itself is the credential."""
    resources, wanted = resources_of(request), upload_id_in_path(upload_id)
    require_signed(resources.keyring, "write", wanted, expires=expires, signature=signature, now=utc_now())
    async with reading(resources.pool) as connection:
        upload = await store.fetch_any(connection, wanted)
    if upload is None or upload.state != "pending":
        raise LinkInvalid
    chunks = at_most(streamed_body(request), upload.size, upload.kind)
    await resources.depot.objects.put(incoming_path(upload.id), chunks)
    return Response(status_code=204)


@router.post("/{upload_id}/confirm")
async def confirm_upload(request: Request, upload_id: str, caller: UploadWriter) -> Response:
    """Check the file that was written to its address, and complete the upload; a repeat changes nothing."""
    resources, wanted, now = resources_of(request), upload_id_in_path(upload_id), utc_now()
    arrived = await _arrived(resources, caller, wanted)
    cause = cause_of(request, caller.app_id, caller.user_id, now)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.complete(tx, cause, caller, arrived)))

    answer = await mutate(request, caller.scope, effect)
    await actions.settle(resources, arrived, now)
    return answer


async def _arrived(resources: Resources, caller: Principal, upload_id: UploadId) -> StoredUpload:
    async with reading(resources.pool) as connection:
        upload = await actions.find_own(connection, caller, upload_id)
    if upload.state == "complete":
        return upload
    arrived = await arrival.check_arrived(resources.depot, upload)
    if arrived is not None:
        return arrived
    # A confirmation at the same time may have taken it.
    async with reading(resources.pool) as connection:
        present = await actions.find_own(connection, caller, upload_id)
    if present.state != "complete":
        raise UploadMismatch("Nothing has arrived yet.")
    return present


@router.delete("/{upload_id}")
async def delete_upload(request: Request, upload_id: str, caller: UploadWriter) -> Response:
    """Remove a file: its uploader, a moderator of a channel that shows it, and the app's servers."""
    wanted = upload_id_in_path(upload_id)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.delete(tx, caller, wanted)))

    answer = await mutate(request, caller.scope, effect)
    await actions.discard(resources_of(request), wanted, utc_now())
    return answer


def upload_id_in_path(text: str) -> UploadId:
    """An upload's id out of a path.

    Raises:
        UploadNotFound: none can have this one.
    """
    canonical = uuid_in_path(text)
    if canonical is None:
        raise UploadNotFound
    return UploadId(canonical)


def base_url(request: Request, resources: Resources) -> str:
    """What our own addresses start with."""
    return (resources.settings.public_url or str(request.base_url)).rstrip("/")


def _own_address(request: Request, resources: Resources, upload: StoredUpload) -> str:
    assert upload.writable_until is not None, "an announced file has an end"
    query = signed_query(resources.keyring, "write", upload.id, upload.writable_until)
    return f"{base_url(request, resources)}/api/uploads/{upload.id}/data?{query}"


def _draft_of_form(caller: Principal, form: FileForm, now: datetime) -> Draft:
    try:
        body = FormFields.model_validate(form.fields)
    except ValidationError as wrong:
        raise RequestValidationError([dict(one) for one in wrong.errors()]) from None
    return Draft(
        caller,
        _uploader(caller, body.user_id),
        _channel_id(body.channel_id),
        form.filename,
        form.content_type or UNKNOWN_TYPE,
        now,
    )


def _uploader(caller: Principal, given: UserId | None) -> UserId:
    if caller.user_id is None:
        if given is None:
            raise invalid_field("userId", "missing", "required with an API key: whose file is it?")
        return given
    if given not in {None, caller.user_id}:
        raise Forbidden("A user uploads in their own name.", hint="Leave userId out, or use the API key.")
    return caller.user_id


def _channel_id(text: str | None) -> ChannelId | None:
    if text is None:
        return None
    canonical = uuid_in_path(text)
    if canonical is None:
        raise invalid_field("channelId", "invalid_id", "is not a channel id (a UUID)")
    return ChannelId(canonical)
