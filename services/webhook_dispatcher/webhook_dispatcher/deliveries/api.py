"""The HTTP door of the history: `/api/webhooks/{id}/deliveries`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.idempotency import Answer, idempotent_call, perform
from chatsdk_runtime.postgres import Pool, Transaction
from chatsdk_runtime.web import json_response
from webhook_dispatcher.access import Caller, parse_cursor, parse_id
from webhook_dispatcher.deliveries import actions
from webhook_dispatcher.errors import DeliveryNotFound, WebhookNotFound

Status = Literal["pending", "delivering", "succeeded", "exhausted", "failed", "held", "skipped", "expired"]


@dataclass(frozen=True, slots=True)
class History:
    """What the routes need of the process; `on_due` wakes the worker of this process."""

    pool: Pool
    keyring: Keyring
    on_due: Callable[[], None]


def deliveries_router(history: History, caller: Caller) -> APIRouter:
    """The routes."""
    router = APIRouter(
        prefix="/api/webhooks/{webhook_id}", tags=["deliveries"], dependencies=[Depends(caller)]
    )
    door = _Door(history, caller)
    router.add_api_route("/undelivered", door.undelivered, methods=["GET"])
    router.add_api_route("/deliveries", door.list, methods=["GET"])
    router.add_api_route("/deliveries/{delivery_id}", door.show, methods=["GET"])
    router.add_api_route("/deliveries/{delivery_id}/attempts", door.attempts, methods=["GET"])
    router.add_api_route("/deliveries/{delivery_id}/retry", door.retry, methods=["POST"], status_code=202)
    return router


class _Door:
    def __init__(self, history: History, caller: Caller) -> None:
        self._history = history
        self._caller = caller

    async def list(
        self,
        request: Request,
        webhook_id: str,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        status: Status | None = None,
        event: Annotated[str | None, Query(max_length=128)] = None,
    ) -> Response:
        """Deliveries, newest first."""
        who = await self._caller(request)
        deliveries, has_more = await actions.list_deliveries(
            self._history.pool,
            who.app_id,
            _webhook(webhook_id),
            before=parse_cursor(cursor),
            event=event,
            status=status,
            limit=limit,
        )
        next_cursor = deliveries[-1]["id"] if has_more else None
        return json_response({"deliveries": deliveries, "nextCursor": next_cursor, "hasMore": has_more})

    async def undelivered(
        self,
        request: Request,
        webhook_id: str,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> Response:
        """What the webhook has not got yet, oldest first: waiting, being delivered, held and exhausted."""
        who = await self._caller(request)
        found = await actions.list_undelivered(
            self._history.pool,
            who.app_id,
            _webhook(webhook_id),
            after=None if cursor is None else int(cursor),
            limit=limit,
        )
        return json_response(found)

    async def show(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        """One delivery, with its attempts under `history`."""
        who = await self._caller(request)
        found = await actions.show_delivery(
            self._history.pool, who.app_id, _webhook(webhook_id), _delivery(delivery_id)
        )
        return json_response(found)

    async def attempts(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        """The attempts of one delivery, first to last."""
        who = await self._caller(request)
        found = await actions.list_attempts(
            self._history.pool, who.app_id, _webhook(webhook_id), _delivery(delivery_id)
        )
        return json_response({"attempts": found, "nextCursor": None, "hasMore": False})

    async def retry(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        """Send it again now, marked as a replay."""
        who = await self._caller(request)

        async def effect(tx: Transaction) -> Answer:
            return await actions.replay(tx, who.app_id, _webhook(webhook_id), _delivery(delivery_id))

        call = await idempotent_call(request, scope=f"webhooks/{who.app_id}")
        answer = await perform(self._history.pool, self._history.keyring, call, effect)
        self._history.on_due()
        return answer


def _webhook(text: str) -> UUID:
    return parse_id(text, WebhookNotFound, "webhook")


def _delivery(text: str) -> UUID:
    return parse_id(text, DeliveryNotFound, "delivery")
