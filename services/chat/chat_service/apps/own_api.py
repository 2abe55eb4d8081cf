"""HTTP in: /api/app, where an app's own servers manage its keys and settings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from chat_service.apps import actions
from chat_service.apps.settings_model import RetentionDays, UserDirectory
from chat_service.auth.credentials import KeyManager
from chat_service.auth.revocation import Revocation, spread
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.errors import ApiKeyNotFound
from chat_service.limits.rates import LEAST_PER_SECOND, MOST_AT_ONCE, MOST_PER_SECOND
from chat_service.wire_input import Name, RequestModel, uuid_in_path
from chatsdk_contracts.control import ChangedSettings, SettingsChanged
from chatsdk_contracts.ids import ApiKeyId
from chatsdk_contracts.scopes import Scope
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/app", tags=["app"])


class CreateOwnKey(RequestModel):
    """A new key; `name` is for people, without scopes it may everything, which a limited key cannot give."""

    name: Name = "key"
    # An empty list would mean everything: whoever computed one meant nothing.
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] | None = None


class ChosenRate(RequestModel):
    """So many calls a second for ever, and so many at once after a rest."""

    per_second: Annotated[float, Field(ge=LEAST_PER_SECOND, le=MOST_PER_SECOND, allow_inf_nan=False)]
    burst: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)]


class ChosenCallRates(RequestModel):
    """Limits of one kind of call; null and what is left out are the defaults."""

    app: ChosenRate | None = None
    user: ChosenRate | None = None


class ChosenSendRates(ChosenCallRates):
    """Limits of messages, which each channel has too."""

    channel: ChosenRate | None = None


class ChosenLimits(RequestModel):
    """Rate limits. The whole app's can only be lowered: above the default the default holds."""

    send: ChosenSendRates = ChosenSendRates()
    write: ChosenCallRates = ChosenCallRates()
    read: ChosenCallRates = ChosenCallRates()
    search: ChosenCallRates = ChosenCallRates()
    upload: ChosenCallRates = ChosenCallRates()


class ChosenNotifyAfter(RequestModel):
    """Seconds after which the app's server is told of an unread message; null and what is left out: never."""

    offline_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    unread_s: Annotated[int, Field(ge=1, le=86_400)] | None = None


class ChangeSettings(RequestModel):
    """What to choose; what is left out stays as it is. `rateLimits` and `notifyAfter` are chosen anew as a whole."""

    user_directory: UserDirectory = "shared_channels"
    retention_days: RetentionDays = Field(default_factory=dict)
    rate_limits: ChosenLimits = ChosenLimits()
    notify_after: ChosenNotifyAfter = ChosenNotifyAfter()


@router.get("/keys")
async def list_keys(request: Request, caller: KeyManager) -> Response:
    """The app's keys in the order of their making, revoked ones too."""
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.list_keys(connection, caller.app_id)))


@router.post("/keys", status_code=201)
async def create_key(request: Request, body: CreateOwnKey, caller: KeyManager) -> Response:
    """Make one more API key; it is in this answer and never again."""
    cause = cause_of(request, caller.app_id, None, utc_now())

    async def effect(tx: Transaction) -> Answer:
        key = await actions.create_own_key(tx, cause, caller, body.name, body.scopes or ())
        return Answer(data_json(key), 201)

    return await mutate(request, caller.scope, effect)


@router.delete("/keys/{key_id}")
async def revoke_key(request: Request, key_id: str, caller: KeyManager) -> Response:
    """Revoke a key: at once here, within five seconds everywhere. The last one with all rights stays."""
    wanted = uuid_in_path(key_id)
    if wanted is None:
        raise ApiKeyNotFound
    cause = cause_of(request, caller.app_id, None, utc_now())
    revocation = Revocation(caller.app_id, cause.now, key_id=ApiKeyId(wanted))

    async def effect(tx: Transaction) -> Answer:
        key = await actions.revoke_own_key(tx, cause, caller, ApiKeyId(wanted))
        return Answer(data_json(key))

    answer = await mutate(request, caller.scope, effect)
    spread(resources_of(request), revocation)
    return answer


@router.get("/settings")
async def get_settings(request: Request, caller: KeyManager) -> Response:
    """What the app's owner chose, over the defaults."""
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.get_settings(connection, caller.app_id)))


@router.patch("/settings")
async def change_settings(request: Request, body: ChangeSettings, caller: KeyManager) -> Response:
    """Choose settings; they hold for every call that begins after the answer."""
    cause = cause_of(request, caller.app_id, None, utc_now())
    given = body.model_dump(exclude_unset=True, by_alias=False)
    changed: list[str] = []

    async def effect(tx: Transaction) -> Answer:
        settings, names = await actions.change_settings(tx, cause, given)
        changed.extend(names)
        return Answer(data_json(settings))

    answer = await mutate(request, caller.scope, effect)
    if changed:
        told = ChangedSettings(changed=changed)
        resources_of(request).limiter.forget(caller.app_id)
        resources_of(request).control.tell(SettingsChanged, caller.app_id, told, cause.now)
    return answer
