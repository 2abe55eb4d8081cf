"""`GET /.well-known/chatsdk`: where the three services are, and which versions they speak."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.doors import resources_of
from chatsdk_runtime.web import json_response

router = APIRouter(tags=["discovery"])


@router.get("/.well-known/chatsdk")
async def discover(request: Request) -> Response:
    """Public URLs; null where the operator has not told one."""
    settings = resources_of(request).settings
    return json_response(
        {
            "apiVersion": 1,
            "chatUrl": settings.public_url or str(request.base_url).rstrip("/"),
            "webhooksUrl": settings.webhooks_public_url,
            "metricsUrl": settings.metrics_public_url,
        }
    )
