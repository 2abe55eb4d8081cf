"""A room whose messages are searched, and calls about it."""

from dataclasses import dataclass
from typing import Any

import httpx2

from chat_service.search import indexer
from chatsdk_runtime.postgres import transaction
from tests.integration.chat_service.calling import Caller, Chat, Tenant
from tests.integration.chat_service.events.test_feed import number_and_publish


async def indexed(chat: Chat) -> None:
    """What the relay and the index do, once."""
    await number_and_publish(chat.resources)
    more = True
    while more:
        async with transaction(chat.resources.pool) as tx:
            more = await indexer.index_step(tx) > 0


@dataclass
class Room:
    """A group with ann and bob in it; eve is outside."""

    tenant: Tenant
    ann: Caller
    bob: Caller
    eve: Caller
    id: str

    async def send(self, text: str, who: Caller | None = None, **fields: Any) -> dict[str, Any]:
        sent = await (who or self.ann).call(
            "POST", f"/api/channels/{self.id}/messages", {"text": text, **fields}
        )
        assert sent.status_code == 201, sent.text
        message: dict[str, Any] = sent.json()
        return message


async def found(who: Caller | Tenant, q: str, path: str = "/api/search", **query: Any) -> dict[str, Any]:
    asked = httpx2.QueryParams({"q": q, **query})
    call = who.server if isinstance(who, Tenant) else who.call
    response = await call("GET", f"{path}?{asked}")
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


def texts(page: dict[str, Any]) -> list[str]:
    return [result["text"] for result in page["results"]]
