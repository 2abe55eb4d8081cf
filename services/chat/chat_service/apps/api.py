"""HTTP in: /admin/apps, for operators."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from chat_service.apps import actions
from chat_service.auth.revocation import Revocation, spread
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.errors import AdminClosed, ApiKeyNotFound, AppNotFound
from chat_service.paging import Cursor, Limit, broken_cursor, decode_cursor
from chat_service.wire_input import Name, RequestModel, uuid_in_path
from chatsdk_contracts.ids import ApiKeyId, AppId
from chatsdk_contracts.scopes import Scope
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Unauthorized
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

_SCOPE = "admin"


async def require_operator(request: Request) -> None:
    """The operator's token, compared in constant time.

    Raises:
        AdminClosed: none is set.
        Unauthorized: another one, or none, was sent.
    """
    expected = resources_of(request).settings.admin_token
    if expected is None:
        raise AdminClosed
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    wanted = expected.get_secret_value().encode()
    # Headers are latin-1 on the wire; a token with other characters was sent as UTF-8.
    if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode("latin-1"), wanted):
        raise Unauthorized(
            "The admin token is missing or wrong.",
            hint="Send Authorization: Bearer with the value of CHATSDK_ADMIN_TOKEN.",
            headers={"WWW-Authenticate": "Bearer"},
        )


router = APIRouter(prefix="/admin/apps", tags=["admin"], dependencies=[Depends(require_operator)])


class CreateApp(RequestModel):
    """A new tenant."""

    name: Name


class CreateKey(RequestModel):
    """A new key; `name` is for people, without scopes it may everything."""

    name: Name = "key"
    scopes: Annotated[tuple[Scope, ...], Field(max_length=50)] = ()


@router.post("", status_code=201)
async def create_app(request: Request, body: CreateApp) -> Response:
    """Make an app; its API key is in this answer and never again."""
    keyring = resources_of(request).keyring

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.create_app(tx, keyring, body.name, utc_now())), 201)

    return await mutate(request, _SCOPE, effect)


@router.get("")
async def list_apps(request: Request, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Apps in the order of their making."""
    position = decode_cursor(cursor, 1)
    after = None if position is None else uuid_in_path(position[0])
    if position is not None and after is None:
        raise broken_cursor()
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.list_apps(connection, after=after, limit=limit)))


@router.post("/{app_id}/keys", status_code=201)
async def create_key(request: Request, app_id: str, body: CreateKey) -> Response:
    """Make one more API key; it is in this answer and never again."""
    cause = cause_of(request, _app_id(app_id), None, utc_now())

    async def effect(tx: Transaction) -> Answer:
        key = await actions.create_key(tx, cause, body.name, body.scopes)
        return Answer(data_json(key), 201)

    return await mutate(request, _SCOPE, effect)


@router.get("/{app_id}/keys")
async def list_keys(request: Request, app_id: str) -> Response:
    """The app's keys, revoked ones too."""
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.list_keys(connection, _app_id(app_id))))


@router.delete("/{app_id}/keys/{key_id}")
async def revoke_key(request: Request, app_id: str, key_id: str) -> Response:
    """Revoke a key: at once here, within five seconds everywhere."""
    wanted_app, wanted_key = _app_id(app_id), uuid_in_path(key_id)
    if wanted_key is None:
        raise ApiKeyNotFound

    cause = cause_of(request, wanted_app, None, utc_now())
    revocation = Revocation(wanted_app, cause.now, key_id=ApiKeyId(wanted_key))

    async def effect(tx: Transaction) -> Answer:
        key = await actions.revoke_key(tx, cause, ApiKeyId(wanted_key))
        return Answer(data_json(key))

    answer = await mutate(request, _SCOPE, effect)
    spread(resources_of(request), revocation)
    return answer


def _app_id(text: str) -> AppId:
    canonical = uuid_in_path(text)
    if canonical is None:
        raise AppNotFound
    return AppId(canonical)
