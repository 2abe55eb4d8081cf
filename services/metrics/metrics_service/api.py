"""The public door: an app's own totals."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from chatsdk_contracts.scopes import allows
from chatsdk_runtime.errors import ScopeMissing, Unauthorized
from chatsdk_runtime.postgres import Pool, reading
from chatsdk_runtime.service_client import ChatClient
from chatsdk_runtime.web import json_response
from metrics_service import store


def totals_router(pool: Pool, chat: ChatClient) -> APIRouter:
    """`GET /api/metrics/totals`."""
    router = APIRouter(tags=["totals"])

    @router.get("/api/metrics/totals")
    async def totals(request: Request) -> Response:
        """The exact totals of the calling app."""
        app_id = await _calling_app(request, chat)
        async with reading(pool) as connection:
            rows = await store.read_app_totals(connection, app_id)
        by_series: dict[str, Any] = {}
        for series, label, value in rows:
            if label:
                by_series.setdefault(series, {})[label] = value
            else:
                by_series[series] = value
        return json_response({"appId": app_id, "totals": by_series})

    return router


async def _calling_app(request: Request, chat: ChatClient) -> str:
    key = request.headers.get("x-api-key")
    principal = await chat.introspect("apiKey", key) if key else None
    if principal is None:
        raise Unauthorized("No valid API key.", hint="Send the app's key in the X-API-Key header.")
    request.scope["state"]["app_id"] = principal.app_id
    if not allows(principal.scopes, "metrics:read"):
        raise ScopeMissing("metrics:read")
    return principal.app_id
