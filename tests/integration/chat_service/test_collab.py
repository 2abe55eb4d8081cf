"""Collaborative text through the doors: who writes at once ends with one text, and nothing is done twice."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx2
import pytest
from pycrdt import Doc, Text

from chat_service.collab import ot
from chat_service.collab.ot import Operation
from chat_service.collab.rules import stored_operation, wire_ops
from chat_service.collab.store import forget_dropped
from chatsdk_runtime.postgres import reading
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems
from tests.integration.chat_service.message_room import MessageRoom, a_room

KEPT = 4


@pytest.fixture
def few_kept(chat: Chat) -> Iterator[None]:
    """The service keeps few operations and small documents."""
    transport = chat.client._transport
    assert isinstance(transport, httpx2.ASGITransport)
    state: Any = getattr(transport.app, "state", None)
    usual = state.resources
    small = usual.settings.model_copy(update={"collab_ops_kept": KEPT, "collab_state_bytes": 1_024})
    state.resources = replace(usual, settings=small)
    yield
    state.resources = usual


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


@dataclass
class Page:
    """A collaborative message, and calls about it."""

    room: MessageRoom
    message: dict[str, Any]

    async def write(
        self, who: Caller, op_id: str, ops: list[Any], base: int | None = None, **headers: str
    ) -> httpx2.Response:
        body = {"clientOpId": op_id, "ops": ops} | ({} if base is None else {"baseVersion": base})
        return await self.room.call(who, "POST", f"/{self.message['id']}/ops", body, **headers)

    async def read(self, who: Caller, query: str = "") -> dict[str, Any]:
        answer = await self.room.call(who, "GET", f"/{self.message['id']}/ops{query}")
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    async def text(self) -> str:
        return str((await self.room.read(self.message))["text"])


async def a_page(room: MessageRoom, text: str, mode: str) -> Page:
    return Page(room, await room.send(text, textMode=mode))


@dataclass
class OtClient:
    """Edits at once and sends one operation at a time, as clients of this kind do."""

    page: Page
    caller: Caller
    text: str
    version: int
    chance: Random
    sent: Operation | None = None
    waiting: Operation | None = None
    sent_ids: list[str] = field(default_factory=list)

    def edit(self) -> None:
        place = self.chance.randint(0, len(self.text))
        removed = min(self.chance.randint(0, 3), len(self.text) - place)
        word = self.chance.choice(["", "a", "é", "😀", "𝄞x"])
        made = ot.normalised([place, word, -removed, len(self.text) - place - removed])
        self.text = ot.apply(self.text, made)
        self.waiting = made if self.waiting is None else ot.compose(self.waiting, made)

    async def push(self) -> None:
        if self.sent is None and self.waiting is not None:
            self.sent, self.waiting = self.waiting, None
            self.sent_ids.append(f"{self.caller.id}-{len(self.sent_ids)}")
        if self.sent is not None:
            base = self.version
            ops = wire_ops(self.sent)
            answer = await self.page.write(self.caller, self.sent_ids[-1], ops, base)
            assert answer.status_code in {200, 201}, answer.text

    async def pull(self) -> None:
        page = await self.page.read(self.caller, f"?after={self.version}&limit=500")
        assert page["snapshot"] is None
        for op in page["ops"]:
            assert op["version"] == self.version + 1
            self.version = op["version"]
            if op["clientOpId"] in self.sent_ids:
                self.sent = None
                continue
            theirs = stored_operation(op["ops"])
            if self.sent is not None:
                theirs, self.sent = ot.transform(theirs, self.sent)
            if self.waiting is not None:
                theirs, self.waiting = ot.transform(theirs, self.waiting)
            self.text = ot.apply(self.text, theirs)


async def test_three_clients_of_operations_end_with_one_text(room: MessageRoom) -> None:
    page, chance = await a_page(room, "begin 😀 here", "ot"), Random(7)
    callers = [room.ann, room.bob, await room.tenant.user("cat")]
    await room.ann.call("POST", f"/api/channels/{room.id}/members", {"userIds": ["cat"]})
    clients = [OtClient(page, caller, "begin 😀 here", 1, chance) for caller in callers]

    for _ in range(12):
        writing = [one for one in clients if chance.random() < 0.8]
        for one in writing:
            one.edit()
        await asyncio.gather(*(one.push() for one in writing))
        for one in clients:
            if chance.random() < 0.6:
                await one.pull()
    for _ in range(3):
        for one in clients:
            await one.pull()
            await one.push()
    for one in clients:
        await one.pull()

    text = await page.text()
    assert [one.text for one in clients] == [text] * 3
    assert all(one.sent is None and one.waiting is None for one in clients)
    # The events alone tell it as well, in the channel's order.
    followed, events = "begin 😀 here", await room.events("message.updated")
    for number, event in enumerate(events, 2):
        assert (event["data"]["version"], event["data"]["textOp"]["version"]) == (number, number)
        assert event["data"]["changed"] == ["text"]
        followed = ot.apply(followed, stored_operation(event["data"]["textOp"]["ops"]))
        assert followed == event["data"]["text"]
    assert followed == text
    assert [int(event["sequence"]) for event in events] == sorted({int(one["sequence"]) for one in events})
    assert (await room.read(page.message))["cv"] == int(events[-1]["sequence"])


async def test_three_documents_end_with_one_text(room: MessageRoom) -> None:
    page, chance = await a_page(room, "begin 😀", "crdt"), Random(3)
    begun = (await page.read(room.bob))["snapshot"]
    assert (begun["text"], begun["version"]) == ("begin 😀", 1)
    documents: list[Doc[Text]] = []
    for number in range(3):
        document: Doc[Text] = Doc(client_id=1_000 + number)
        document.apply_update(base64.b64decode(begun["state"]))
        documents.append(document)

    for turn in range(5):
        calls = []
        for number, document in enumerate(documents):
            text, before = document.get("text", type=Text), document.get_state()
            text.insert(len(str(text)[: chance.randint(0, 5)].encode()), chance.choice(["a", "é", "😀"]))
            update = base64.b64encode(document.get_update(before)).decode()
            calls.append(page.write(room.ann if number else room.bob, f"{number}.{turn}", [update]))
        assert {answer.status_code for answer in await asyncio.gather(*calls)} == {201}
        if turn % 2:
            after = (await page.read(room.ann, "?after=1&limit=500"))["ops"]
            for op in after:
                documents[turn % 3].apply_update(base64.b64decode(op["ops"][0]))

    latest = (await page.read(room.ann))["snapshot"]
    for document in documents:
        document.apply_update(base64.b64decode(latest["state"]))
    assert {str(document.get("text", type=Text)) for document in documents} == {latest["text"]}
    assert latest["text"] == await page.text()
    assert (latest["version"], len(latest["text"])) == (16, len("begin 😀") + 15)
    missing = base64.b64encode(b"\x01\x01\x09\x05\x04\x01\x04text\x01a\x00").decode()
    assert error_code(await page.write(room.ann, "gap", [missing])) == "missing_updates"
    refused = await page.write(room.ann, "bad", [missing, "AAE="])
    assert refused.status_code == 409
    assert problems(await page.write(room.ann, "bad", ["AAE="])) == {"ops[0]": "invalid_update"}


async def test_a_repeat_gets_what_the_first_came_to(room: MessageRoom) -> None:
    page = await a_page(room, "ab", "ot")
    first = await page.write(room.ann, "one", [{"insert": "X"}], 1)
    late = await page.write(room.bob, "one", [{"retain": 1}, {"insert": "Y"}], 1)
    again, other = (
        await page.write(room.bob, "one", [{"retain": 1}, {"insert": "Y"}], 1),
        await page.write(room.bob, "one", [{"retain": 1}, {"insert": "Z"}], 1),
    )

    assert (first.status_code, late.status_code, again.status_code) == (201, 201, 200)
    assert late.json()["ops"] == [{"retain": 2}, {"insert": "Y"}, {"retain": 1}]
    assert again.json() == {**late.json(), "duplicate": True}
    assert (other.status_code, error_code(other)) == (422, "idempotency_mismatch")
    keyed = [
        await page.write(room.bob, "two", [{"insert": "-"}], 3, Idempotency_Key="k"),
        await page.write(room.bob, "two", [{"insert": "-"}], 3, Idempotency_Key="k"),
    ]
    assert [answer.json()["version"] for answer in keyed] == [4, 4]
    at_once = await asyncio.gather(*(page.write(room.ann, "three", [{"insert": "+"}], 4) for _ in range(5)))
    assert sorted(answer.status_code for answer in at_once) == [200] * 4 + [201]
    assert await page.text() == "+-XaYb"
    assert [op["version"] for op in (await page.read(room.ann, "?after=1&limit=2"))["ops"]] == [2, 3]


async def test_who_was_away_for_too_long_begins_anew(chat: Chat, room: MessageRoom, few_kept: None) -> None:
    page = await a_page(room, "", "ot")
    for number in range(2 * KEPT + 1):
        answer = await page.write(room.ann, f"n{number}", [{"insert": str(number)}], number + 1)
        assert answer.status_code == 201, answer.text

    reset, kept = await page.read(room.bob, "?after=2"), await page.read(room.bob, "?after=6")

    text = "876543210"
    assert (reset["reset"], reset["ops"]) == (True, [])
    assert reset["snapshot"] == {"version": 10, "text": text, "state": None}
    assert (kept["reset"], kept["snapshot"], [op["version"] for op in kept["ops"]]) == (
        False,
        None,
        [7, 8, 9, 10],
    )
    too_old = await page.write(room.bob, "late", [{"insert": "x"}], 2)
    assert (too_old.status_code, error_code(too_old), too_old.json()["error"]["oldest"]) == (
        409,
        "base_too_old",
        6,
    )
    repeat = await page.write(room.ann, "n0", [{"insert": "0"}], 1)
    assert (repeat.status_code, repeat.json()["version"], repeat.json()["ops"]) == (200, 2, None)
    async with reading(chat.resources.pool) as connection:
        now = datetime.now(UTC)
        assert await forget_dropped(connection, before=now - timedelta(days=7)) == 0
        assert await forget_dropped(connection, before=now + timedelta(days=7)) == 5
    document = await a_page(room, "", "crdt")
    large = base64.b64encode(b"\x01\x01\x09\x00\x04\x01\x04text\xd0\x0f" + b"a" * 2_000 + b"\x00").decode()
    assert error_code(await document.write(room.ann, "x", [large])) == "document_too_large"


async def test_deleting_takes_operations_along_and_leaves_nothing_in_the_log(
    chat: Chat, room: MessageRoom
) -> None:
    for mode, ops in (("ot", [{"insert": "secret"}]), ("crdt", ["AQEJAAQBBHRleHQGc2VjcmV0AA=="])):
        page = await a_page(room, "", mode)
        assert (await page.write(room.bob, "one", ops, 1)).status_code == 201
        assert await page.text() == "secret"

        await room.call(room.ann, "DELETE", f"/{page.message['id']}")

        events = [one for one in await room.events() if one["data"].get("id") == page.message["id"]]
        assert [event["type"] for event in events] == ["message.new", "message.updated", "message.deleted"]
        assert "secret" not in str(events)
        assert events[1]["data"]["textOp"] is None
        for table in ("collab_op", "collab_text"):
            assert await chat.sql(f"select from {table} where message_id = $1", page.message["id"]) == []
        assert error_code(await page.write(room.bob, "two", ops, 1)) == "message_deleted"
        restored = (await room.call(room.ann, "POST", f"/{page.message['id']}/undelete")).json()
        assert (restored["text"], restored["textMode"]) == ("secret", None)
        assert error_code(await page.write(room.bob, "two", ops, 1)) == "not_collaborative"


async def test_who_is_shadow_banned_writes_for_nobody_else(room: MessageRoom) -> None:
    page = await a_page(room, "ab", "ot")
    ban = await room.tenant.server("POST", "/api/moderation/bans", {"userId": "bob", "shadow": True})
    assert ban.status_code == 201, ban.text
    own = Page(room, await room.send("mine", room.bob, textMode="ot"))

    refused = await page.write(room.bob, "one", [{"insert": "x"}], 1)
    written = await own.write(room.bob, "one", [{"insert": "secret"}], 1)

    assert (error_code(refused), written.status_code) == ("not_editable", 201)
    assert await room.events("message.updated") == []
    assert (await room.read(own.message, room.bob))["text"] == "secretmine"
    assert (await room.call(room.ann, "GET", f"/{own.message['id']}/ops")).status_code == 404


async def test_who_may_write_and_what_is_refused_with_its_fix(room: MessageRoom) -> None:
    page, plain = await a_page(room, "ab", "ot"), await room.send("plain")
    dan = await room.tenant.user("dan")

    assert (page.message["textMode"], plain["textMode"]) == ("ot", None)
    patched = await room.call(room.ann, "PATCH", f"/{page.message['id']}", {"text": "mine"})
    assert (patched.status_code, error_code(patched)) == (409, "collaborative_text")
    assert "/ops" in patched.json()["error"]["hint"]
    assert (
        error_code(await Page(room, plain).write(room.ann, "x", [{"insert": "x"}], 1)) == "not_collaborative"
    )
    assert error_code(await page.write(dan, "x", [{"insert": "x"}], 1)) == "not_a_member"
    assert problems(await page.write(room.bob, "x", [{"insert": "x"}])) == {"baseVersion": "missing"}
    assert problems(await page.write(room.bob, "x", [{"insert": "x"}], 9)) == {
        "baseVersion": "unknown_version"
    }
    assert problems(await page.write(room.bob, "x", [{"retain": 3}], 1)) == {"ops": "beyond_the_end"}
    by_server = {"clientOpId": "s", "baseVersion": 1, "ops": [{"delete": 2}], "userId": "bob"}
    written = await room.server("POST", f"/{page.message['id']}/ops", by_server)
    assert (written.status_code, written.json()["userId"], await page.text()) == (201, "bob", "")
    system = await room.server("POST", "", {"text": "x", "type": "system", "textMode": "ot", "userId": "ann"})
    assert system.status_code == 422
    await room.ann.call("PATCH", f"/api/channels/{room.id}", {"frozen": True})
    assert error_code(await page.write(room.bob, "y", [{"insert": "x"}], 2)) == "channel_frozen"
