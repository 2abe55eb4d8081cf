"""Messages that show uploaded files: only one's own complete ones, linked with the send, unlinked with the text."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from prometheus_client import CollectorRegistry

from chat_service.messages import api as messages_api
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.web import new_app
from tests.integration.chat_service.calling import Caller, Chat, Tenant, problems
from tests.integration.chat_service.channel_rows import running_writer
from tests.integration.chat_service.uploading import PDF, File, a_picture, credential, presigned, uploaded


@dataclass
class Room:
    """A channel of ann and bob, its messages' doors, and eve outside."""

    client: httpx2.AsyncClient
    tenant: Tenant
    ann: Caller
    bob: Caller
    eve: Caller
    id: str

    async def send(self, who: Caller | Tenant, *upload_ids: str, **fields: Any) -> httpx2.Response:
        shown = [{"type": "file", "url": "https://elsewhere", "uploadId": one} for one in upload_ids]
        return await self.call(who, "POST", "", {"text": "look", "attachments": shown, **fields})

    async def call(
        self, who: Caller | Tenant, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx2.Response:
        content = None if body is None else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(
            method,
            f"/api/channels/{self.id}/messages{path}",
            content=content,
            headers={**credential(who), "Content-Type": "application/json", **named},
        )

    async def reads(self, who: Caller, upload_id: str) -> bool:
        response = await who.call("GET", f"/api/uploads/{upload_id}/content")
        assert response.status_code in {200, 404}
        return response.status_code == 200

    async def unlinked(self, upload_id: str) -> bool:
        [row] = await self.tenant.chat.sql("select unlinked_since from upload where id = $1", UUID(upload_id))
        return row["unlinked_since"] is not None


@pytest.fixture
async def room(chat: Chat, tenant: Tenant, chat_database: str) -> AsyncIterator[Room]:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await ann.channel(type="group", name="room", memberIds=["bob"])
    async with running_writer(chat_database) as writer:
        app = new_app(
            title="messages",
            version="0",
            instruments=RuntimeInstruments(CollectorRegistry()),
            max_body_bytes=65_536,
        )
        app.state.resources = replace(chat.resources, writer=writer)
        app.include_router(messages_api.router)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://chat") as client:
            yield Room(client, tenant, ann, bob, eve, made["id"])


async def test_a_file_is_shown_as_it_is_and_opened_to_the_members(room: Room) -> None:
    made = await uploaded(room.ann, File(a_picture(), "p.png", "image/png"))
    before = await room.reads(room.bob, made["id"])

    sent = await room.send(room.ann, made["id"])

    assert sent.status_code == 201, sent.text
    [shown] = sent.json()["attachments"]
    assert shown["url"] == made["url"]
    assert (shown["name"], shown["mimeType"], shown["size"]) == ("p.png", "image/png", made["size"])
    assert (shown["width"], shown["height"], shown["thumbnailUrl"]) == (800, 400, made["thumbnailUrl"])
    assert [before, await room.reads(room.bob, made["id"]), await room.reads(room.eve, made["id"])] == [
        False,
        True,
        False,
    ]
    listed = await room.bob.call("GET", f"/api/channels/{room.id}/uploads?type=image")
    assert [one["id"] for one in listed.json()["uploads"]] == [made["id"]]
    assert not await room.unlinked(made["id"])


async def test_only_a_complete_file_of_the_sender_is_shown(chat: Chat, room: Room) -> None:
    mine, bobs = await uploaded(room.ann, File(PDF)), await uploaded(room.bob, File(PDF))
    pending = await presigned(room.ann, PDF)
    theirs = await (await chat.new_tenant("theirs")).user("ann")
    foreign = await uploaded(theirs, File(PDF))

    refused = await room.send(room.ann, mine["id"], bobs["id"], pending["id"], foreign["id"], new_id())
    malformed = await room.send(room.ann, "nothing")
    by_server = await room.send(room.tenant, bobs["id"], userId="ann")
    foreign_to_server = await room.send(room.tenant, foreign["id"], userId="ann")

    assert refused.status_code == 422
    assert problems(refused) == {f"attachments[{index}].uploadId": "not_found" for index in (1, 2, 3, 4)}
    assert problems(malformed) == {"attachments[0].uploadId": "invalid_id"}
    assert by_server.status_code == 201
    assert problems(foreign_to_server) == {"attachments[0].uploadId": "not_found"}


async def test_the_same_send_is_linked_once_and_its_repeat_outlives_the_file(room: Room) -> None:
    made = await uploaded(room.ann, File(PDF))

    answers = await asyncio.gather(*(room.send(room.ann, made["id"], clientMsgId="c") for _ in range(5)))
    await room.ann.call("DELETE", f"/api/uploads/{made['id']}")
    late = await room.send(room.ann, made["id"], clientMsgId="c")
    new = await room.send(room.ann, made["id"], clientMsgId="d")

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in [*answers, late]}) == 1
    assert (late.status_code, new.status_code) == (200, 422)


async def test_a_key_replays_a_send_that_shows_a_file(room: Room) -> None:
    made = await uploaded(room.ann, File(PDF))
    body = {"attachments": [{"type": "file", "url": "x", "uploadId": made["id"]}]}

    first = await room.call(room.ann, "POST", "", body, Idempotency_Key="k")
    await room.ann.call("DELETE", f"/api/uploads/{made['id']}")
    again = await room.call(room.ann, "POST", "", body, Idempotency_Key="k")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]


async def test_a_deleted_message_shows_its_file_no_longer_unless_another_does(chat: Chat, room: Room) -> None:
    made = await uploaded(room.ann, File(PDF))
    sent = [(await room.send(room.ann, made["id"])).json() for _ in range(2)]

    await room.call(room.ann, "DELETE", f"/{sent[0]['id']}")
    still = await room.reads(room.bob, made["id"]), await room.unlinked(made["id"])
    await room.call(room.ann, "DELETE", f"/{sent[1]['id']}")

    assert still == (True, False)
    assert not await room.reads(room.bob, made["id"])
    assert await room.reads(room.ann, made["id"])
    assert await room.unlinked(made["id"])
    assert await chat.sql("select from upload_link where upload_id = $1", UUID(made["id"])) == []


async def test_many_messages_that_show_the_same_files_do_not_wait_for_each_other(room: Room) -> None:
    other = await room.ann.channel(type="group", name="other")
    files = [(await uploaded(room.ann, File(PDF)))["id"] for _ in range(4)]
    rooms = [room, replace(room, id=other["id"])]

    answers = await asyncio.gather(
        *(
            rooms[number % 2].send(room.ann, *(files if number % 3 else reversed(files)))
            for number in range(40)
        )
    )

    assert {answer.status_code for answer in answers} == {201}
    assert (
        len(await room.tenant.chat.sql("select from upload_link where upload_id = $1", UUID(files[0]))) == 40
    )


async def test_a_restored_message_shows_its_file_again_and_a_truncated_one_to_nobody(room: Room) -> None:
    made = await uploaded(room.ann, File(PDF))
    sent = (await room.send(room.ann, made["id"])).json()
    message = f"/api/channels/{room.id}/messages/{sent['id']}"

    await room.ann.call("DELETE", message)
    while_deleted = await room.reads(room.bob, made["id"])
    assert (await room.ann.call("POST", f"{message}/undelete")).status_code == 200
    restored = await room.reads(room.bob, made["id"])
    await room.ann.call("POST", f"/api/channels/{room.id}/truncate", {})

    assert (while_deleted, restored, await room.reads(room.bob, made["id"])) == (False, True, False)


async def test_a_purged_message_shows_no_file(room: Room) -> None:
    made = await uploaded(room.ann, File(PDF))
    sent = (await room.send(room.ann, made["id"])).json()

    purged = await room.ann.call("DELETE", f"/api/channels/{room.id}/messages/{sent['id']}/purge")

    assert purged.status_code == 200, purged.text
    assert await room.unlinked(made["id"])
    assert not await room.reads(room.bob, made["id"])


async def test_an_operation_kept_on_a_client_may_show_a_file(room: Room) -> None:
    made = await uploaded(room.ann, File(PDF))
    op = {
        "opId": new_id(),
        "laneSeq": 1,
        "kind": "message.send",
        "message": {
            "id": new_id(),
            "attachments": [{"type": "file", "url": "x:", "uploadId": made["id"]}],
        },
    }

    pushed = await room.ann.call(
        "POST", "/api/sync/ops", {"clientId": "phone", "channelId": room.id, "ops": [op]}
    )

    [result] = pushed.json()["results"]
    assert result["status"] == 201, result
    assert result["message"]["attachments"][0]["url"] == made["url"]
    assert await room.reads(room.bob, made["id"])
