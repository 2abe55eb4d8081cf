"""A channel with somebody to moderate, the roads by which a message comes into it, and sockets that listen."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry

from chat_service.instruments import ChatInstruments
from chat_service.presence.actions import times_of
from chat_service.presence.roster import Roster
from chat_service.presence.watching import Watches
from chat_service.realtime.connection import Connection, SocketLimits
from chat_service.realtime.following import Following
from chat_service.realtime.hiding import SocketBlocks
from chat_service.realtime.hub import Hub
from chat_service.realtime.session import Realtime, Session
from chatsdk_contracts.ids import new_id
from tests.integration.chat_service.calling import Caller, Chat, Tenant
from tests.waiting import wait_for

SPOKEN = "words of eve"


@dataclass
class Floor:
    """`ann` owns the group, `bob` moderates it, `eve` and `dan` are members; `first` is ann's message."""

    tenant: Tenant
    ann: Caller
    bob: Caller
    eve: Caller
    dan: Caller
    id: str
    first: dict[str, Any]

    @property
    def path(self) -> str:
        return f"/api/channels/{self.id}"

    async def send(self, who: Caller, text: str = SPOKEN, **fields: Any) -> httpx2.Response:
        return await who.call("POST", f"{self.path}/messages", {"text": text, **fields})

    async def sent(self, who: Caller, text: str = SPOKEN, **fields: Any) -> dict[str, Any]:
        response = await self.send(who, text, **fields)
        assert response.status_code == 201, response.text
        message: dict[str, Any] = response.json()
        return message

    async def ban(self, who: Caller | None = None, user: str = "eve", **terms: Any) -> dict[str, Any]:
        """By a moderator from the channel, or (nobody) by the app's server from the app."""
        body = {"userId": user, **terms}
        if who is None:
            response = await self.tenant.server("POST", "/api/moderation/bans", body)
        else:
            response = await who.call("POST", f"{self.path}/bans", body)
        assert response.status_code == 201, response.text
        ban: dict[str, Any] = response.json()
        return ban

    async def bans_told(self) -> list[dict[str, Any]]:
        """The events of eve's bans in this app, in order."""
        events = await self.tenant.events("users/eve")
        types = {"user.banned", "user.unbanned"}
        return [one for one in events if one["appid"] == self.tenant.id and one["type"] in types]

    async def let_bans_run_out(self) -> None:
        await self.tenant.chat.sql(
            "update ban set expires_at = now() - interval '1 second' where app_id = $1::text::uuid",
            self.tenant.id,
        )

    async def row(self) -> dict[str, Any]:
        """What the channel's own row counts."""
        [row] = await self.tenant.chat.sql(
            "select last_seq, cv, message_count, last_message_at from channel where id = $1::text::uuid",
            self.id,
        )
        return dict(row)


async def a_floor(tenant: Tenant) -> Floor:
    ann, bob, eve, dan = await tenant.users("ann", "bob", "eve", "dan")
    made = await ann.channel(type="group", name="floor", memberIds=["bob", "eve", "dan"])
    floor = Floor(tenant, ann, bob, eve, dan, made["id"], {})
    await ann.call("PATCH", f"{floor.path}/members/bob", {"role": "moderator"})
    floor.first = await floor.sent(ann, "welcome")
    return floor


# --------------------------------------------------------------------------------------------- roads in

Road = Callable[[Floor], Awaitable[tuple[int, dict[str, Any]]]]
"""Has eve write by this road; gives the status and the message, or the error with its code."""


def _answer(response: httpx2.Response) -> tuple[int, dict[str, Any]]:
    return response.status_code, response.json()


async def by_http(floor: Floor) -> tuple[int, dict[str, Any]]:
    return _answer(await floor.send(floor.eve))


async def by_thread_reply(floor: Floor) -> tuple[int, dict[str, Any]]:
    return _answer(await floor.send(floor.eve, parentId=floor.first["id"]))


async def by_thread(floor: Floor) -> tuple[int, dict[str, Any]]:
    path = f"{floor.path}/messages/{floor.first['id']}/thread"
    return _answer(await floor.eve.call("POST", path, {"text": SPOKEN}))


async def by_quote(floor: Floor) -> tuple[int, dict[str, Any]]:
    return _answer(await floor.send(floor.eve, replyToId=floor.first["id"]))


async def by_server(floor: Floor) -> tuple[int, dict[str, Any]]:
    body = {"text": SPOKEN, "userId": "eve"}
    return _answer(await floor.tenant.server("POST", f"{floor.path}/messages", body))


async def by_poll(floor: Floor) -> tuple[int, dict[str, Any]]:
    body = {"question": SPOKEN, "options": [{"text": "yes"}, {"text": "no"}]}
    made = await floor.eve.call("POST", f"{floor.path}/polls", body)
    if made.status_code != 201:
        return _answer(made)
    message = await floor.eve.call("GET", f"{floor.path}/messages/{made.json()['messageId']}")
    return made.status_code, message.json()


async def by_operation(floor: Floor) -> tuple[int, dict[str, Any]]:
    op = {
        "opId": new_id(),
        "laneSeq": 1,
        "kind": "message.send",
        "message": {"id": new_id(), "text": SPOKEN},
    }
    pushed = await floor.eve.call(
        "POST", "/api/sync/ops", {"clientId": new_id(), "channelId": floor.id, "ops": [op]}
    )
    [result] = pushed.json()["results"]
    return result["status"], result["message"] or {"error": result["error"]}


async def by_socket(floor: Floor) -> tuple[int, dict[str, Any]]:
    async with listening(floor.tenant.chat) as room:
        ear = await room.connect(floor.eve)
        await ear.say({"type": "message.send", "id": 7, "channelId": floor.id, "message": {"text": SPOKEN}})
        answer = await ear.answer(7)
        return answer["status"], answer.get("body") or {"error": answer["error"]}


ROADS: dict[str, Road] = {
    "http": by_http,
    "thread reply": by_thread_reply,
    "thread": by_thread,
    "quote": by_quote,
    "server on behalf": by_server,
    "poll": by_poll,
    "kept operation": by_operation,
    "socket": by_socket,
}

# ---------------------------------------------------------------------------------------------- sockets


@dataclass
class Ear:
    """A socket of a user, without a wire."""

    session: Session
    connection: Connection
    heard: list[dict[str, Any]]

    async def say(self, frame: dict[str, Any]) -> None:
        await self.session.take(json.dumps(frame))

    async def answer(self, request: int) -> dict[str, Any]:
        def given() -> list[dict[str, Any]]:
            return [one for one in self.heard if one["type"] == "result" and one["id"] == request]

        await wait_for(given, what="an answer")
        return given()[0]

    def events(self) -> list[dict[str, Any]]:
        return [one["event"] for one in self.heard if one["type"] == "event"]

    async def hears_up_to(self, cv: int) -> None:
        """Return when the socket was told of everything up to this version of the channel."""

        def versions() -> list[int]:
            told = [int(event["sequence"]) for event in self.events() if "channelid" in event]
            return [*told, *(one["cv"] for one in self.heard if one["type"] == "covered")]

        await wait_for(lambda: max(versions(), default=0) >= cv, what=lambda: str(self.heard)[-500:])


class Sockets:
    """A hub without a broker: it reads the log when asked to."""

    def __init__(self, chat: Chat) -> None:
        every = ChatInstruments(CollectorRegistry())
        instruments, pool = every.realtime, chat.resources.pool
        self.resources = chat.resources
        self.hub = Hub(pool, instruments)
        self.blocks = SocketBlocks(self.hub, pool)
        following = Following(self.hub, pool, chat.resources.keyring)
        watches = Watches(pool, every.presence)
        roster = Roster(pool, chat.resources.presence, times_of(chat.resources.settings))
        self.realtime = Realtime(
            self.hub,
            following,
            watches,
            roster,
            SocketLimits(),
            25.0,
            10,
            instruments.closes,
            self.blocks,
        )
        self.writers: list[asyncio.Task[Any]] = []

    async def connect(self, who: Caller) -> Ear:
        heard: list[dict[str, Any]] = []

        async def hear(text: str) -> None:
            heard.extend(json.loads(line) for line in text.split("\n"))

        session = Session(self.realtime, self.resources, hear)
        first = json.dumps({"type": "connect", "token": who.token, "channels": "all"})
        connection = await session.connect(first, None)
        assert isinstance(connection, Connection)
        self.writers.append(asyncio.create_task(connection.run_writer()))
        await session.begin(first)
        return Ear(session, connection, heard)


@asynccontextmanager
async def listening(chat: Chat) -> AsyncIterator[Sockets]:
    sockets = Sockets(chat)
    try:
        yield sockets
    finally:
        for writer in sockets.writers:
            writer.cancel()
        await asyncio.gather(*sockets.writers, return_exceptions=True)
