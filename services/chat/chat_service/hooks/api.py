"""HTTP in: /api/moderation/hook, for an app's servers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from chat_service.auth.credentials import Moderator
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.events.log import Cause
from chat_service.hooks import actions
from chat_service.hooks.rules import DEFAULT_TIMEOUT_MS, LONGEST_TIMEOUT_MS, SHORTEST_TIMEOUT_MS
from chat_service.hooks.store import HookFields
from chat_service.hooks.views import NewHook, OnFailure
from chat_service.resources import Resources
from chat_service.screening.known import HOOK, spread_change
from chat_service.wire_input import RequestModel, SafeText
from chatsdk_contracts.channels import ChannelType
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from chatsdk_runtime.outgoing.url_rules import UrlProblem, check_url
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/moderation/hook", tags=["moderation"])

_LONGEST_OVERLAP_S = 604_800


class PutHook(RequestModel):
    """Where to ask, how long to wait, and what follows when there is no answer: `open` sends, `closed` refuses."""

    url: Annotated[SafeText, Field(min_length=1, max_length=2_048)]
    timeout_ms: Annotated[int, Field(ge=SHORTEST_TIMEOUT_MS, le=LONGEST_TIMEOUT_MS)] = DEFAULT_TIMEOUT_MS
    on_failure: OnFailure = "open"
    on_failure_by_type: dict[ChannelType, OnFailure] = Field(default_factory=dict)
    enabled: bool = True


class Rotation(RequestModel):
    """For how many seconds the present secret signs along."""

    overlap_s: Annotated[int, Field(ge=0, le=_LONGEST_OVERLAP_S)] = 0


@router.get("")
async def get_hook(request: Request, caller: Moderator) -> Response:
    """The app's hook, without its secret."""
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.get_hook(connection, caller.app_id)))


@router.put("")
async def put_hook(request: Request, body: PutHook, caller: Moderator) -> Response:
    """Make the hook (201; the secret is in this answer and never again), or change it (200)."""
    resources, cause = resources_of(request), _cause(request, caller)
    fields = HookFields(
        _checked(resources, body.url),
        body.timeout_ms,
        body.on_failure,
        {str(name): str(how) for name, how in body.on_failure_by_type.items()},
        body.enabled,
    )

    async def effect(tx: Transaction) -> Answer:
        hook = await actions.put_hook(tx, resources.keyring, cause, fields)
        return Answer(data_json(hook), 201 if isinstance(hook, NewHook) else 200)

    answer = await mutate(request, caller.scope, effect)
    spread_change(resources, caller.app_id, HOOK, cause.now)
    return answer


@router.post("/rotate-secret")
async def rotate_secret(request: Request, caller: Moderator, body: Rotation | None = None) -> Response:
    """A new secret; with `overlapS` the present one signs along for that many seconds."""
    resources, cause = resources_of(request), _cause(request, caller)
    overlap_s = 0 if body is None else body.overlap_s

    async def effect(tx: Transaction) -> Answer:
        rotated = await actions.rotate_secret(tx, resources.keyring, cause, overlap_s=overlap_s)
        return Answer(data_json(rotated))

    answer = await mutate(request, caller.scope, effect)
    spread_change(resources, caller.app_id, HOOK, cause.now)
    return answer


@router.delete("")
async def remove_hook(request: Request, caller: Moderator) -> Response:
    """Take the hook away; it is the answer."""
    cause = _cause(request, caller)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.remove_hook(tx, cause)))

    answer = await mutate(request, caller.scope, effect)
    spread_change(resources_of(request), caller.app_id, HOOK, cause.now)
    return answer


def _cause(request: Request, caller: Principal) -> Cause:
    return cause_of(request, caller.app_id, caller.user_id, utc_now())


def _checked(resources: Resources, url: str) -> str:
    """The URL in the form in which it is dialled.

    Raises:
        InvalidInput: it may not be dialled, with what to change.
    """
    settings = resources.settings
    policy = AddressPolicy(allowed_networks=settings.outgoing_networks)
    found = check_url(url, allow_http=settings.hook_allow_http, policy=policy)
    if isinstance(found, UrlProblem):
        raise invalid_field("url", found.code, found.message, hint=found.hint)
    return found.url
