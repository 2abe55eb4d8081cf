"""Clients that catch up: a device keeps what the pages tell it, and checks the promises of each page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry

from chat_service.events.relay import Relay, RelayTimes
from chat_service.instruments import RelayInstruments
from chat_service.routers import ROUTERS
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY
from chatsdk_runtime.rabbit import BROKER_AWAY
from chatsdk_runtime.web import new_app
from tests.integration.chat_service.calling import Caller, Chat
from tests.integration.chat_service.channel_rows import running_writer
from tests.waiting import wait_for


@asynccontextmanager
async def numbering_doors(doors: Chat, database: str) -> AsyncIterator[Chat]:
    """The doors with a writer, and with a relay that numbers; there is no broker, and none is needed."""
    relay = Relay(
        doors.resources.pool,
        direct_url=database,
        rabbitmq_url="amqp://127.0.0.1:1",
        times=RelayTimes(poll_s=0.02, lease_s=8.0),
        instruments=RelayInstruments(CollectorRegistry()),
        faults=FaultPoints(),
    )
    loops = BackgroundLoops(outages=(*DATABASE_AWAY, *BROKER_AWAY))
    async with running_writer(database) as writer:
        app = new_app(
            title="chat",
            version="0",
            instruments=RuntimeInstruments(CollectorRegistry()),
            max_body_bytes=262_144,
        )
        resources = replace(doors.resources, writer=writer, wake_relay=relay.wake)
        app.state.resources = resources
        for router in ROUTERS:
            app.include_router(router)
        loops.start("lead", relay.lead)
        loops.start("number", relay.number)
        transport = httpx2.ASGITransport(app=app)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://chat") as client:
                yield Chat(client, resources, [])
        finally:
            await loops.stop()
            await relay.resign()


async def all_numbered(chat: Chat) -> None:
    """Return when every committed event has its position."""

    async def none_waits() -> bool:
        return await chat.sql("select from event where lane_pos is null") == []

    await wait_for(none_waits, what="everything is numbered")


def without_quote(message: dict[str, Any]) -> dict[str, Any]:
    """A listed message as a device keeps it: what it quotes belongs to another message, which the device follows too."""
    return {name: value for name, value in message.items() if name != "quoted"}


@dataclass
class Device:
    """One client of a user: per channel the version it has seen, and messages, members and the channel as told."""

    user: Caller
    client_id: str = "phone"
    cursor: str | None = None
    seen: dict[str, int] = field(default_factory=dict)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    pages: list[dict[str, Any]] = field(default_factory=list)

    async def page(self, limit: int = 200) -> dict[str, Any]:
        """Fetch one page and take it in."""
        query = f"?limit={limit}&clientId={self.client_id}" + (
            f"&cursor={self.cursor}" if self.cursor else ""
        )
        response = await self.user.call("GET", f"/api/sync{query}")
        assert response.status_code == 200, response.text
        page: dict[str, Any] = response.json()
        await self._take(page)
        self.cursor = page["cursor"]
        self.pages.append(page)
        return page

    async def catch_up(self, limit: int = 200) -> list[dict[str, Any]]:
        """Fetch pages until there are no more; returns them."""
        first = len(self.pages)
        while (await self.page(limit))["hasMore"]:
            pass
        return self.pages[first:]

    async def _take(self, page: dict[str, Any]) -> None:
        for left in page["left"]:
            self._drop(left["channelId"])
        for change in page["changes"]:
            channel, seen = change["channelId"], self.seen.get(change["channelId"])
            assert seen is not None, "changes come only of channels that this device has"
            assert change["cvFrom"] <= change["cv"]
            if change["cv"] <= seen:
                continue
            assert change["cvFrom"] <= seen + 1, f"a hole: {change['cvFrom']} after {seen}"
            self._apply(change)
            self.seen[channel] = change["cv"]
        for reset in page["reset"]:
            await self._load(reset["channelId"])

    def _apply(self, change: dict[str, Any]) -> None:
        match change["type"]:
            case "message":
                own = {"ownReactions": change["ownReactions"]}
                self.messages[change["message"]["id"]] = change["message"] | own
            case "member" if change["member"] is None:
                self.members.pop((change["channelId"], change["userId"]), None)
            case "member":
                self.members[change["channelId"], change["userId"]] = change["member"]
            case "channel":
                self.channels[change["channelId"]] = change["channel"]
                self._drop_up_to(change["channelId"], change["truncatedSeq"])
            case other:
                assert other == "none", f"a change of a kind that this device does not know: {other}"

    async def _load(self, channel_id: str) -> None:
        """What a client does on a reset: load the channel, its members and its messages by the plain calls."""
        self._drop(channel_id)
        channel = (await self.user.call("GET", f"/api/channels/{channel_id}")).json()
        if "id" not in channel:
            return
        self.seen[channel_id] = channel["cv"]
        self.channels[channel_id] = channel
        self.members |= {(channel_id, one["userId"]): one for one in channel["members"]}
        listed = (await self.user.call("GET", f"/api/channels/{channel_id}/messages?limit=200")).json()
        self.messages |= {one["id"]: without_quote(one) for one in listed["messages"]}

    def _drop_up_to(self, channel_id: str, seq: int) -> None:
        gone = [
            one["id"]
            for one in self.messages.values()
            if one["channelId"] == channel_id and one["seq"] is not None and one["seq"] <= seq
        ]
        for message_id in gone:
            del self.messages[message_id]

    def _drop(self, channel_id: str) -> None:
        self.seen.pop(channel_id, None)
        self.channels.pop(channel_id, None)
        self.messages = {key: one for key, one in self.messages.items() if one["channelId"] != channel_id}
        self.members = {key: one for key, one in self.members.items() if key[0] != channel_id}
