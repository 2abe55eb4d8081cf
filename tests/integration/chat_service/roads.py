"""Every road on which something is said: a call that says a text by it, and the code of the refusal (None: taken)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from chat_service.collab.rules import wire_ops
from chat_service.instruments import ChatInstruments
from chat_service.presence.actions import times_of
from chat_service.presence.roster import Roster
from chat_service.presence.watching import Watches
from chat_service.realtime.connection import Connection, SocketLimits
from chat_service.realtime.following import Following
from chat_service.realtime.hiding import SocketBlocks
from chat_service.realtime.hub import Hub
from chat_service.realtime.session import Realtime, Session
from chat_service.resources import Resources
from chatsdk_contracts.ids import new_id
from tests.integration.chat_service.message_room import MessageRoom

Said = tuple[str | None, dict[str, Any]]
Road = Callable[[MessageRoom, str], Awaitable[Said]]


async def by_http(room: MessageRoom, text: str) -> Said:
    return said(await room.call(room.ann, "POST", body={"text": text}))


async def by_server(room: MessageRoom, text: str) -> Said:
    return said(await room.server("POST", body={"text": text, "userId": "ann"}))


async def in_a_thread(room: MessageRoom, text: str) -> Said:
    parent = await room.send("a thread begins")
    return said(await room.call(room.ann, "POST", body={"text": text, "parentId": parent["id"]}))


async def by_socket(room: MessageRoom, text: str) -> Said:
    resources, answers = room.tenant.chat.resources, asyncio.Queue[str]()
    session = Session(a_realtime(resources), resources, answers.put)
    connection = await session.connect('{"type": "connect"}', room.ann.token)
    assert isinstance(connection, Connection)
    writing = asyncio.create_task(connection.run_writer())
    message = {"type": "message.send", "id": 1, "channelId": room.id, "message": {"text": text}}
    await session.take(orjson.dumps(message).decode())
    answer = orjson.loads(await asyncio.wait_for(answers.get(), 10))
    writing.cancel()
    await session.end()
    return answer.get("error", {}).get("code"), answer.get("body", {})


async def by_kept_operation(room: MessageRoom, text: str) -> Said:
    op = {"kind": "message.send", "message": {"id": new_id(), "text": text}}
    return await pushed(room, op)


async def by_edit(room: MessageRoom, text: str) -> Said:
    sent = await room.send("before")
    return said(await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": text}))


async def by_kept_edit(room: MessageRoom, text: str) -> Said:
    sent = await room.send("before")
    return await pushed(room, {"kind": "message.edit", "messageId": sent["id"], "edit": {"text": text}})


async def by_operation_on_a_text(room: MessageRoom, text: str) -> Said:
    sent = await room.send("before", textMode="ot")
    body = {"clientOpId": new_id(), "baseVersion": 1, "ops": wire_ops((text, -len("before")))}
    return said(await room.call(room.ann, "POST", f"/{sent['id']}/ops", body))


async def by_poll(room: MessageRoom, text: str) -> Said:
    body = {"question": text, "options": [{"text": "yes"}, {"text": "no"}]}
    return said(await room.ann.call("POST", f"/api/channels/{room.id}/polls", body))


async def by_option_of_a_poll(room: MessageRoom, text: str) -> Said:
    body = {"question": "?", "options": [{"text": "yes"}, {"text": text}]}
    return said(await room.ann.call("POST", f"/api/channels/{room.id}/polls", body))


async def by_attached_poll(room: MessageRoom, text: str) -> Said:
    sent = await room.send("before")
    body = {"question": text, "options": [{"text": "yes"}, {"text": "no"}]}
    return said(await room.call(room.ann, "POST", f"/{sent['id']}/polls", body))


SENDS: list[Road] = [by_http, by_server, in_a_thread, by_socket, by_kept_operation]
EDITS: list[Road] = [by_edit, by_kept_edit]
# What can neither be masked nor changed: only the whole of it is taken or refused.
OPERATIONS: list[Road] = [by_operation_on_a_text]
POLLS: list[Road] = [by_poll, by_option_of_a_poll, by_attached_poll]


def a_realtime(resources: Resources) -> Realtime:
    """What sockets need; nothing of it runs, so that nobody is told of anything."""
    instruments = ChatInstruments(CollectorRegistry())
    hub = Hub(resources.pool, instruments.realtime)
    return Realtime(
        hub=hub,
        following=Following(hub, resources.pool, resources.keyring),
        watches=Watches(resources.pool, instruments.presence),
        roster=Roster(resources.pool, resources.presence, times_of(resources.settings)),
        limits=SocketLimits(),
        heartbeat_s=25.0,
        most_per_user=50,
        closes=instruments.realtime.closes,
        blocks=SocketBlocks(hub, resources.pool),
    )


def said(response: Any) -> Said:
    body = response.json()
    return body.get("error", {}).get("code"), body


async def pushed(room: MessageRoom, op: dict[str, Any]) -> Said:
    # A client of its own for each: its lane begins at 1.
    body = {
        "clientId": new_id(),
        "channelId": room.id,
        "ops": [{"opId": new_id(), "laneSeq": 1, **op}],
    }
    response = await room.ann.call("POST", "/api/sync/ops", body)
    if response.status_code != 200:
        return said(response)
    [result] = response.json()["results"]
    return (result["error"] or {}).get("code"), result["message"] or {}
