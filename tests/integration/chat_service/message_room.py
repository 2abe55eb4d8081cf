"""A channel with people in it, and calls about its messages."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.integration.chat_service.calling import Caller, Tenant

UNKNOWN_ID = "01900000-0000-7000-8000-000000000000"


@dataclass
class MessageRoom:
    """`ann` owns the channel, `bob` is a member."""

    tenant: Tenant
    ann: Caller
    bob: Caller
    id: str

    async def call(
        self, who: Caller, method: str, path: str = "", body: Any = None, **headers: str
    ) -> httpx2.Response:
        return await who.call(method, f"/api/channels/{self.id}/messages{path}", body, **headers)

    async def server(self, method: str, path: str = "", body: Any = None, **headers: str) -> httpx2.Response:
        return await self.tenant.server(method, f"/api/channels/{self.id}/messages{path}", body, **headers)

    async def send(self, text: str, who: Caller | None = None, **fields: Any) -> dict[str, Any]:
        response = await self.call(who or self.ann, "POST", body={"text": text, **fields})
        assert response.status_code == 201, response.text
        sent: dict[str, Any] = response.json()
        return sent

    async def read(self, message: dict[str, Any], who: Caller | None = None) -> dict[str, Any]:
        response = await self.call(who or self.ann, "GET", f"/{message['id']}")
        assert response.status_code == 200, response.text
        read: dict[str, Any] = response.json()
        return read

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """The channel's log, in order; only events of these types when any are given."""
        logged = await self.tenant.events(f"channels/{self.id}")
        return [event for event in logged if not types or event["type"] in types]


async def a_room(tenant: Tenant, **fields: Any) -> MessageRoom:
    """A group of ann and bob, or another channel of theirs."""
    ann, bob = await tenant.users("ann", "bob")
    made = await ann.channel(**{"type": "group", "name": "room", "memberIds": ["bob"], **fields})
    return MessageRoom(tenant, ann, bob, made["id"])


def told(event: dict[str, Any]) -> tuple[str, str]:
    """An event's type and the version that it made."""
    return event["type"], event["sequence"]
