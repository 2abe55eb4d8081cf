"""`/.well-known/chatsdk`: a client that knows one URL finds the others."""

from dataclasses import replace
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry

from chat_service import discovery
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.web import new_app
from tests.integration.chat_service.calling import Chat

PUBLIC = {
    "public_url": "https://chat.example",
    "webhooks_public_url": "https://hooks.example",
    "metrics_public_url": "https://metrics.example",
}


async def discovered(chat: Chat, told: dict[str, str]) -> Any:
    """What anybody gets from a service whose operator has told these URLs."""
    app = new_app(
        title="chat", version="0", instruments=RuntimeInstruments(CollectorRegistry()), max_body_bytes=1_000
    )
    app.state.resources = replace(chat.resources, settings=chat.resources.settings.model_copy(update=told))
    app.include_router(discovery.router)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://asked.example") as client:
        answer = await client.get("/.well-known/chatsdk")
    assert answer.status_code == 200
    return answer.json()


async def test_the_urls_that_the_operator_told_are_told_to_anybody(chat: Chat) -> None:
    assert await discovered(chat, PUBLIC) == {
        "apiVersion": 1,
        "chatUrl": "https://chat.example",
        "webhooksUrl": "https://hooks.example",
        "metricsUrl": "https://metrics.example",
    }


async def test_without_being_told_it_names_the_url_that_was_asked(chat: Chat) -> None:
    assert await discovered(chat, {}) == {
        "apiVersion": 1,
        "chatUrl": "http://asked.example",
        "webhooksUrl": None,
        "metricsUrl": None,
    }
