"""The HTTP door of registrations: `/api/webhooks`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chatsdk_runtime.idempotency import Answer, Effect, idempotent_call, perform
from chatsdk_runtime.postgres import Transaction
from chatsdk_runtime.service_client import Principal
from chatsdk_runtime.web import RawJson, json_response
from webhook_dispatcher.access import Caller, parse_cursor, parse_id
from webhook_dispatcher.errors import WebhookNotFound
from webhook_dispatcher.webhooks import actions
from webhook_dispatcher.webhooks.actions import Registrar
from webhook_dispatcher.webhooks.rules import MAX_EVENTS

_Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
_Url = Annotated[_Text, Field(min_length=1, max_length=8192)]
_Events = Annotated[list[Annotated[_Text, Field(max_length=200)]], Field(min_length=1, max_length=MAX_EVENTS)]
_Description = Annotated[_Text, Field(max_length=500)]
_Metadata = Annotated[
    dict[Annotated[_Text, Field(max_length=64)], Annotated[_Text, Field(max_length=500)]],
    Field(max_length=50),
]


_Deadline = Annotated[int, Field(ge=1, le=2_592_000)]


class Retry(BaseModel):
    """How failed deliveries are repeated: 1, 2, 4 s (`quick`), over three days (`standard`), or own waits (`custom`)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ladder: Literal["quick", "standard", "custom"]
    waitsS: Annotated[list[float], Field(max_length=50)] | None = None  # noqa: N815 - the wire's name


class RateLimit(BaseModel):
    """At most so many deliveries a second, and at once after a pause. What is more waits; nothing is dropped."""

    model_config = ConfigDict(extra="forbid", strict=True)

    perS: Annotated[float, Field(ge=0.01, le=10_000)]  # noqa: N815 - the wire's name
    burst: Annotated[int, Field(ge=1, le=10_000)] = 1


class _Choices(BaseModel):
    """How a webhook is sent to; null is the default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    retry: Retry | None = None
    deadlineS: _Deadline | None = None  # noqa: N815 - the wire's name
    ordering: Literal["none", "channel"] | None = None
    parkAfter: Annotated[int, Field(ge=1, le=50)] | None = None  # noqa: N815 - the wire's name
    rateLimit: RateLimit | None = None  # noqa: N815 - the wire's name


class NewWebhook(_Choices):
    """Body of `POST /api/webhooks`."""

    url: _Url
    events: _Events
    description: _Description | None = None
    enabled: bool = True
    secret: Annotated[str, Field(max_length=255)] | None = None
    metadata: _Metadata | None = None


class WebhookChange(_Choices):
    """Body of `PATCH /api/webhooks/{id}`: what is left out stays."""

    url: _Url | None = None
    events: _Events | None = None
    description: _Description | None = None
    enabled: bool | None = None
    metadata: _Metadata | None = None


class Rotation(BaseModel):
    """Body of `POST /api/webhooks/{id}/regenerate-secret`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlapS: Annotated[int, Field(ge=0, le=604_800)] = 0  # noqa: N815 - the wire's name


class Nothing(BaseModel):
    """A body without fields."""

    model_config = ConfigDict(extra="forbid")


def webhooks_router(registrar: Registrar, on_due: Callable[[], None], caller: Caller) -> APIRouter:
    """The routes; `on_due` wakes the worker of this process."""
    router = APIRouter(prefix="/api/webhooks", tags=["webhooks"], dependencies=[Depends(caller)])
    door = _Door(registrar, on_due, caller)
    router.add_api_route("", door.create, methods=["POST"], status_code=201)
    router.add_api_route("", door.list, methods=["GET"])
    router.add_api_route("/{webhook_id}", door.show, methods=["GET"])
    router.add_api_route("/{webhook_id}", door.change, methods=["PATCH"])
    router.add_api_route("/{webhook_id}", door.delete, methods=["DELETE"])
    router.add_api_route("/{webhook_id}/regenerate-secret", door.rotate, methods=["POST"])
    router.add_api_route("/{webhook_id}/test", door.test, methods=["POST"])
    return router


class _Door:
    def __init__(self, registrar: Registrar, on_due: Callable[[], None], caller: Caller) -> None:
        self._registrar = registrar
        self._on_due = on_due
        self._caller = caller

    async def create(self, request: Request, body: NewWebhook) -> Response:
        """Register a webhook; the answer is the only one that shows a secret made for it."""
        who = await self._caller(request)
        fields = body.model_dump(exclude_unset=True)

        async def effect(tx: Transaction) -> Answer:
            return await actions.register(self._registrar, tx, who.app_id, who.key_id, fields)

        return await self._perform(request, who, effect)

    async def list(
        self,
        request: Request,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> Response:
        """The app's webhooks, oldest first."""
        who = await self._caller(request)
        webhooks, has_more = await actions.list_all(
            self._registrar, who.app_id, after=parse_cursor(cursor), limit=limit
        )
        next_cursor = webhooks[-1]["id"] if has_more else None
        return json_response({"webhooks": webhooks, "nextCursor": next_cursor, "hasMore": has_more})

    async def show(self, request: Request, webhook_id: str) -> Response:
        """One webhook, without its secret."""
        who = await self._caller(request)
        return json_response(await actions.show(self._registrar, who.app_id, _id(webhook_id)))

    async def change(self, request: Request, webhook_id: str, body: WebhookChange) -> Response:
        """Change fields; `enabled` true releases what was held."""
        who = await self._caller(request)
        fields = body.model_dump(exclude_unset=True)

        async def effect(tx: Transaction) -> Answer:
            return await actions.change(self._registrar, tx, who.app_id, _id(webhook_id), fields)

        answer = await self._perform(request, who, effect)
        self._on_due()
        return answer

    async def delete(self, request: Request, webhook_id: str) -> Response:
        """End a webhook."""
        who = await self._caller(request)

        async def effect(tx: Transaction) -> Answer:
            return await actions.delete(tx, who.app_id, _id(webhook_id))

        return await self._perform(request, who, effect)

    async def rotate(self, request: Request, webhook_id: str, body: Rotation | None = None) -> Response:
        """A new secret; with `overlapS` the old one signs along for that many seconds."""
        who = await self._caller(request)
        overlap_s = 0 if body is None else body.overlapS

        async def effect(tx: Transaction) -> Answer:
            return await actions.rotate_secret(
                self._registrar, tx, who.app_id, _id(webhook_id), overlap_s=overlap_s
            )

        return await self._perform(request, who, effect)

    async def test(self, request: Request, webhook_id: str, body: Nothing | None = None) -> Response:
        """Send one signed `webhook.test` now and say what came of it."""
        who = await self._caller(request)
        key = _id(webhook_id)

        async def effect(_tx: Transaction) -> Answer:
            return await actions.send_test(self._registrar, who.app_id, key)

        if request.headers.get("idempotency-key") is not None:
            return await self._perform(request, who, effect)
        answer = await actions.send_test(self._registrar, who.app_id, key)
        return RawJson(answer.body, answer.status_code)

    async def _perform(self, request: Request, who: Principal, effect: Effect) -> Response:
        call = await idempotent_call(request, scope=f"webhooks/{who.app_id}")
        return await perform(self._registrar.pool, self._registrar.keyring, call, effect)


def _id(text: str) -> UUID:
    return parse_id(text, WebhookNotFound, "webhook")
