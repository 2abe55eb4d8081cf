"""The doors of messages on a real database: sending, paging, editing, deleting, redaction of the log."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import orjson
import pytest
from prometheus_client import CollectorRegistry

from chat_service.messages import api as messages_api
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.web import new_app
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems
from tests.integration.chat_service.channel_rows import running_writer


@dataclass
class Room:
    """A channel with its members, and calls about its messages."""

    client: httpx2.AsyncClient
    tenant: Tenant
    ann: Caller
    bob: Caller
    id: str

    async def call(
        self, who: Caller, method: str, path: str = "", body: Any = None, **headers: str
    ) -> httpx2.Response:
        return await self.client.request(
            method,
            f"/api/channels/{self.id}/messages{path}",
            content=None if body is None else orjson.dumps(body),
            headers={
                "Authorization": f"Bearer {who.token}",
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )

    async def send(self, text: str, **fields: Any) -> dict[str, Any]:
        response = await self.call(self.ann, "POST", body={"text": text, **fields})
        assert response.status_code == 201, response.text
        sent: dict[str, Any] = response.json()
        return sent

    async def listed(self, query: str = "") -> dict[str, Any]:
        response = await self.call(self.ann, "GET", query)
        assert response.status_code == 200, response.text
        page: dict[str, Any] = response.json()
        return page


@pytest.fixture
async def room(chat: Chat, tenant: Tenant, chat_database: str) -> AsyncIterator[Room]:
    ann, bob = await tenant.users("ann", "bob")
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
            yield Room(client, tenant, ann, bob, made["id"])


async def test_a_sent_message_is_answered_whole_and_its_repeat_with_the_same_body(room: Room) -> None:
    first = await room.call(room.ann, "POST", body={"text": "hello", "clientMsgId": "c1"})
    again = await room.call(room.ann, "POST", body={"clientMsgId": "c1", "text": "hello"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["duplicate"] is False
    assert {**first.json(), "duplicate": True} == again.json()
    assert (
        first.json().items()
        >= {"text": "hello", "seq": 1, "version": 1, "status": "sent", "userId": "ann"}.items()
    )


async def test_a_repeat_after_an_edit_shows_the_message_as_it_is_now(room: Room) -> None:
    sent = await room.send("hello", clientMsgId="c1")
    await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "edited"})

    again = await room.call(room.ann, "POST", body={"text": "hello", "clientMsgId": "c1"})

    assert (again.status_code, again.json()["text"], again.json()["version"]) == (200, "edited", 2)


async def test_an_idempotency_key_replays_status_and_body_in_the_present_state(room: Room) -> None:
    first = await room.call(room.ann, "POST", body={"text": "hello"}, Idempotency_Key="k")
    again = await room.call(room.ann, "POST", body={"text": "hello"}, Idempotency_Key="k")
    other = await room.call(room.ann, "POST", body={"text": "other"}, Idempotency_Key="k")

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert other.json()["error"]["code"] == "idempotency_mismatch"


async def test_the_timeline_is_read_both_ways_without_a_gap(room: Room) -> None:
    sent = [await room.send(f"m{number}") for number in range(1, 8)]

    end = await room.listed("?limit=3")
    assert [message["seq"] for message in end["messages"]] == [5, 6, 7]
    back = await room.listed(f"?limit=3&cursor={end['nextCursor']}")
    assert [message["seq"] for message in back["messages"]] == [2, 3, 4]
    start = await room.listed(f"?limit=3&cursor={back['nextCursor']}")
    assert ([message["seq"] for message in start["messages"]], start["hasMore"], start["nextCursor"]) == (
        [1],
        False,
        None,
    )

    since = await room.listed("?since_seq=0&limit=4")
    assert [message["seq"] for message in since["messages"]] == [1, 2, 3, 4]
    rest = await room.listed(f"?limit=4&cursor={since['nextCursor']}")
    assert ([message["seq"] for message in rest["messages"]], rest["hasMore"], rest["maxSeq"]) == (
        [5, 6, 7],
        False,
        7,
    )

    around = sent[3]["id"]
    assert [one["seq"] for one in (await room.listed(f"?before={around}"))["messages"]] == [1, 2, 3]
    assert [one["seq"] for one in (await room.listed(f"?after={around}"))["messages"]] == [5, 6, 7]


async def test_replies_are_numbered_in_their_thread_and_leave_no_gap_in_the_timeline(room: Room) -> None:
    parent = await room.send("parent")
    replies = [await room.send(f"r{number}", parentId=parent["id"]) for number in range(2)]
    await room.send("next")

    assert [(one["seq"], one["threadSeq"]) for one in replies] == [(None, 1), (None, 2)]
    page = await room.listed("?since_seq=0")
    assert [(one["seq"], one["replyCount"]) for one in page["messages"]] == [(1, 2), (2, 0)]
    deeper = await room.call(room.ann, "POST", body={"text": "x", "parentId": replies[0]["id"]})
    assert (deeper.status_code, deeper.json()["error"]["details"][0]["path"]) == (422, "parentId")


async def test_an_edit_on_an_old_base_is_refused_with_the_current_message(room: Room) -> None:
    sent = await room.send("one")
    await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "two", "baseVersion": 1})

    stale = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "three", "baseVersion": 1})
    by_header = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "three"}, If_Match='"1"')

    assert (stale.status_code, by_header.status_code) == (409, 409)
    assert stale.json()["error"]["code"] == "conflict"
    assert stale.json()["error"]["current"].items() >= {"text": "two", "version": 2}.items()


async def test_only_the_author_edits_and_a_stranger_learns_nothing(room: Room) -> None:
    sent = await room.send("mine")
    eve = await room.tenant.user("eve")

    assert (await room.call(room.bob, "PATCH", f"/{sent['id']}", {"text": "x"})).status_code == 403
    assert (await room.call(room.bob, "DELETE", f"/{sent['id']}")).status_code == 403
    refused = await room.call(eve, "GET")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_a_member")
    assert (await room.call(room.ann, "GET", f"/{new_id()}")).status_code == 404


async def test_another_app_finds_nothing(room: Room, chat: Chat) -> None:
    foreign = await (await chat.new_tenant("other")).user("ann")
    sent = await room.send("secret")

    for method, path, body in (
        ("GET", "", None),
        ("POST", "", {"text": "x"}),
        ("GET", f"/{sent['id']}", None),
        ("PATCH", f"/{sent['id']}", {"text": "x"}),
        ("DELETE", f"/{sent['id']}", None),
    ):
        assert (await room.call(foreign, method, path, body)).status_code == 404, (method, path)


async def test_ids_that_another_app_has_used_are_no_error_of_ours(room: Room, chat: Chat) -> None:
    foreign = await (await chat.new_tenant("other")).user("ann")
    theirs = replace(room, ann=foreign, id=(await foreign.channel(type="group"))["id"])
    name, taken = "no UUID", new_id()
    mine = [await room.send("mine", clientMsgId=name), await room.send("mine", id=taken)]

    same_name = await theirs.send("theirs", clientMsgId=name)
    same_id = await theirs.call(foreign, "POST", body={"text": "theirs", "id": taken})

    assert same_name["id"] not in {one["id"] for one in mine}
    assert (same_id.status_code, same_id.json()["error"]["details"][0]["path"]) == (422, "id")
    assert "mine" not in same_id.text


async def test_a_deleted_message_leaves_a_tombstone_and_its_words_leave_the_log(
    room: Room, chat: Chat
) -> None:
    sent = await room.send("the marker", custom={"note": "the marker"})
    await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "the marker again"})

    gone = await room.call(room.ann, "DELETE", f"/{sent['id']}")

    assert (
        gone.json().items()
        >= {"type": "deleted", "text": "", "version": 3, "seq": 1, "deletedBy": "ann"}.items()
    )
    events = await room.tenant.events(f"channels/{room.id}")
    about = [event for event in events if event["type"].startswith("message.")]
    assert [event["type"] for event in about] == ["message.new", "message.updated", "message.deleted"]
    assert [event["data"]["version"] for event in about] == [1, 2, 3]
    rows = await chat.sql("select body from event")
    assert not [row for row in rows if b"the marker" in row["body"]]
    assert (await room.call(room.ann, "DELETE", f"/{sent['id']}")).json() == gone.json()
    edit = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "back"})
    assert edit.status_code == 409


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        pytest.param({}, 422, "body", id="says nothing"),
        pytest.param({"text": "x" * 10_001}, 422, "text", id="too long"),
        pytest.param({"text": "a\u0000b"}, 422, "text", id="NUL"),
        pytest.param({"text": "x", "colour": "red"}, 422, "colour", id="unknown field"),
        pytest.param(
            {"attachments": [{"type": "image"}]}, 422, "attachments[0].url", id="attachment without url"
        ),
        pytest.param({"text": "x", "parentId": "nope"}, 422, "parentId", id="malformed id"),
        pytest.param(
            {"text": "x", "replyToId": "01900000-0000-7000-8000-000000000000"}, 422, "replyToId", id="unknown"
        ),
        pytest.param({"text": "x", "userId": "bob"}, 422, "userId", id="in another's name"),
    ],
)
async def test_bad_input_is_named_by_path(room: Room, body: dict[str, Any], status: int, path: str) -> None:
    response = await room.call(room.ann, "POST", body=body)

    assert response.status_code == status, response.text
    assert [problem["path"] for problem in response.json()["error"]["details"]] == [path]


async def test_a_lone_surrogate_and_malformed_json_are_refused(room: Room) -> None:
    for content, status in (
        (b'{"text": "\\ud800"}', 422),
        (b'{"text": ', 400),
        (b'"' + b"x" * 70_000 + b'"', 413),
    ):
        response = await room.client.post(
            f"/api/channels/{room.id}/messages",
            content=content,
            headers={"Authorization": f"Bearer {room.ann.token}", "Content-Type": "application/json"},
        )
        assert response.status_code == status, response.text


async def test_digits_of_other_scripts_are_refused_and_break_nothing(room: Room) -> None:
    sent = await room.send("a")
    listed = await room.call(room.ann, "GET", "?cursor=after:%C2%B2")
    assert (listed.status_code, error_code(listed)) == (400, "bad_request")

    edited = await room.client.patch(
        f"/api/channels/{room.id}/messages/{sent['id']}",
        json={"text": "b"},
        headers=[(b"Authorization", f"Bearer {room.ann.token}".encode()), (b"If-Match", b"\xb2")],
    )
    assert (edited.status_code, problems(edited)) == (422, {"If-Match": "invalid_version"})
