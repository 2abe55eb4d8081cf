"""`GET /.well-known/chatsdk`: where the three services are, and which versions they speak."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from chat_service.doors import resources_of
from chatsdk_contracts.wire import WireModel, data_json
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["discovery"])


class Discovered(WireModel):
    """Where the three services are; null where the operator has not told it."""

    api_version: int
    chat_url: str
    webhooks_url: str | None
    metrics_url: str | None


@router.get("/.well-known/chatsdk")
async def discover(request: Request) -> Response:
    """Public URLs; null where the operator has not told one."""
    settings = resources_of(request).settings
    discovered = Discovered(
        api_version=1,
        chat_url=settings.public_url or str(request.base_url).rstrip("/"),
        webhooks_url=settings.webhooks_public_url,
        metrics_url=settings.metrics_public_url,
    )
    return RawJson(data_json(discovered))
