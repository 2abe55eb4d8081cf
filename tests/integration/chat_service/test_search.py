"""Search over a real log: who finds what, what is no longer found, how the index keeps up and is rebuilt."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from chat_service.instruments import ChatInstruments
from chat_service.search import actions, indexer
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY, reading, transaction
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems
from tests.integration.chat_service.events.test_feed import number_and_publish
from tests.integration.chat_service.sending_doors import doors_that_send
from tests.waiting import wait_for


@pytest.fixture(scope="module")
async def chat(chat_database: str) -> AsyncIterator[Chat]:
    async with doors_that_send(chat_database) as doors:
        yield doors


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


@pytest.fixture
async def room(tenant: Tenant) -> Room:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await ann.channel(type="group", name="lunch", memberIds=["bob"])
    return Room(tenant, ann, bob, eve, made["id"])


async def found(who: Caller | Tenant, q: str, path: str = "/api/search", **query: Any) -> dict[str, Any]:
    asked = httpx2.QueryParams({"q": q, **query})
    call = who.server if isinstance(who, Tenant) else who.call
    response = await call("GET", f"{path}?{asked}")
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


def texts(page: dict[str, Any]) -> list[str]:
    return [result["text"] for result in page["results"]]


async def test_a_hit_is_told_whole(room: Room) -> None:
    sent = await room.send("Pizza & <pasta>?")
    await indexed(room.tenant.chat)
    page = await found(room.bob, "past")
    assert page["results"] == [
        {
            "messageId": sent["id"],
            "channelId": room.id,
            "channelName": "lunch",
            "userId": "ann",
            "text": "Pizza & <pasta>?",
            "highlightedText": "Pizza &amp; &lt;<mark>pasta</mark>&gt;?",
            "seq": 1,
            "createdAt": sent["createdAt"],
        }
    ]
    assert (page["totalHits"], page["totalIsExact"], page["hasMore"], page["nextCursor"]) == (
        1,
        True,
        False,
        None,
    )
    assert page["processingTimeMs"] >= 0


@pytest.mark.parametrize(
    ("q", "hits"),
    [
        ("apple", ["apple pie", "apple and pear", "Äpple"]),
        ("apple pie", ["apple pie"]),
        ('"pie apple"', []),
        ("apple -pie", ["apple and pear", "Äpple"]),
        ("pie or pear", ["apple pie", "apple and pear"]),
        ("app", ["apple pie", "apple and pear", "Äpple"]),
        ("京都", ["北京都"]),
        ("and/or", []),
        ("!", []),
        ("-apple", []),
        ("'; drop table message_search; --", []),
    ],
)
async def test_the_query_language_says_what_is_found(room: Room, q: str, hits: list[str]) -> None:
    for text in ("apple pie", "apple and pear", "Äpple", "北京都"):
        await room.send(text)
    await indexed(room.tenant.chat)
    assert sorted(texts(await found(room.ann, q))) == sorted(hits)


@pytest.mark.parametrize("steps", [10_000, 3])
async def test_filters_narrow_whether_hits_are_walked_to_or_indexed(
    room: Room, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three steps are too few for any page here, so that the index has to answer.
    monkeypatch.setattr(actions, "_STEPS", steps)
    other = await room.ann.channel(type="group", name="other", memberIds=["bob"])
    image = {"type": "image", "url": "https://example.test/a.png"}
    first = await room.send("tea one")
    await room.send("tea two", room.bob, attachments=[image])
    await room.ann.call("POST", f"/api/channels/{other['id']}/messages", {"text": "tea three"})
    last = await room.send("tea four")
    for number in range(4):
        await room.send(f"coffee {number}")
    await indexed(room.tenant.chat)

    every = ["tea four", "tea three", "tea two", "tea one"]
    assert texts(await found(room.ann, "tea")) == every
    assert texts(await found(room.tenant, "tea")) == every
    assert texts(await found(room.ann, "tea", userId="bob")) == ["tea two"]
    assert texts(await found(room.ann, "tea", hasAttachment="true")) == ["tea two"]
    assert texts(await found(room.ann, "tea", hasAttachment="false")) == ["tea four", "tea three", "tea one"]
    assert texts(await found(room.ann, "tea", channelId=other["id"])) == ["tea three"]
    here = f"/api/channels/{room.id}/search"
    assert texts(await found(room.ann, "tea", here)) == ["tea four", "tea two", "tea one"]
    for since, until in (("from", "to"), ("fromDate", "toDate")):
        assert texts(await found(room.ann, "tea", **{since: last["createdAt"]})) == ["tea four"]
        assert "tea four" not in texts(await found(room.ann, "tea", **{until: last["createdAt"]}))
        assert first["createdAt"] <= last["createdAt"]


@pytest.mark.parametrize("steps", [10_000, 2])
async def test_pages_bring_every_hit_once_newest_first(
    room: Room, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "_STEPS", steps)
    sent = [await room.send(f"note {number}") for number in range(7)]
    await indexed(room.tenant.chat)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await found(room.ann, "note", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [result["messageId"] for result in page["results"]]
        assert (page["totalHits"], page["totalIsExact"]) == (7, True)
        cursor = page["nextCursor"]
        if not page["hasMore"]:
            break
    assert seen == [message["id"] for message in reversed(sent)]
    assert cursor is None


async def test_many_hits_are_counted_up_to_a_limit_that_is_told(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "TOTAL_CAP", 3)
    for number in range(5):
        await room.send(f"note {number}")
    await indexed(room.tenant.chat)
    page = await found(room.ann, "note", limit=2)
    assert (page["totalHits"], page["totalIsExact"], len(page["results"])) == (3, False, 2)


async def test_only_members_of_now_find_anything(room: Room) -> None:
    await room.send("secret")
    await indexed(room.tenant.chat)
    assert texts(await found(room.eve, "secret")) == []
    refused = await room.eve.call("GET", f"/api/channels/{room.id}/search?q=secret")
    assert (refused.status_code, error_code(refused)) == (403, "not_a_member")
    assert texts(await found(room.bob, "secret")) == ["secret"]
    await room.bob.call("POST", f"/api/channels/{room.id}/leave")
    assert texts(await found(room.bob, "secret")) == []
    # A server sees everything of its app, or what one of its users would.
    assert texts(await found(room.tenant, "secret")) == ["secret"]
    assert texts(await found(room.tenant, "secret", asUserId="ann")) == ["secret"]
    assert texts(await found(room.tenant, "secret", asUserId="bob")) == []
    refused = await room.bob.call("GET", "/api/search?q=secret&asUserId=ann")
    assert (refused.status_code, error_code(refused)) == (403, "forbidden")


async def test_a_private_channel_is_not_there_for_others_nor_an_open_one_read_unjoined(room: Room) -> None:
    private = await room.ann.channel(type="private", name="p")
    hidden = await room.eve.call("GET", f"/api/channels/{private['id']}/search?q=x")
    unknown = await room.eve.call("GET", f"/api/channels/{new_id()}/search?q=x")
    assert (hidden.status_code, error_code(hidden)) == (404, "channel_not_found")
    assert hidden.json()["error"]["message"] == unknown.json()["error"]["message"]
    public = await room.ann.channel(type="public", name="open")
    unjoined = await room.eve.call("GET", f"/api/search?q=x&channelId={public['id']}")
    assert (unjoined.status_code, error_code(unjoined)) == (403, "not_a_member")


async def test_another_app_finds_nothing(room: Room, chat: Chat) -> None:
    await room.send("secret")
    await indexed(chat)
    other = await chat.new_tenant("other")
    ann = await other.user("ann")
    for who in (other, ann):
        assert texts(await found(who, "secret")) == []
        assert (await found(who, "secr", "/api/search/suggestions"))["suggestions"] == []
    assert texts(await found(other, "secret", asUserId="ann")) == []


async def test_what_was_edited_or_deleted_is_not_found_even_before_the_index_knows(room: Room) -> None:
    path = f"/api/channels/{room.id}/messages"
    edited, deleted = await room.send("wrong word"), await room.send("wrong too")
    await indexed(room.tenant.chat)
    await room.ann.call("PATCH", f"{path}/{edited['id']}", {"text": "right word"})
    await room.ann.call("DELETE", f"{path}/{deleted['id']}")
    assert texts(await found(room.ann, "wrong")) == []
    await indexed(room.tenant.chat)
    assert texts(await found(room.ann, "wrong")) == []
    assert texts(await found(room.ann, "right")) == ["right word"]
    left = await room.tenant.chat.sql(
        "select words::text as words from message_search where channel_id = $1", UUID(room.id)
    )
    assert [row["words"] for row in left] == ["'right':1 'word':2"]


async def test_a_deleted_channel_leaves_nothing_behind(room: Room) -> None:
    await room.send("gone")
    await indexed(room.tenant.chat)
    await room.ann.call("DELETE", f"/api/channels/{room.id}")
    assert texts(await found(room.tenant, "gone")) == []
    await indexed(room.tenant.chat)
    left = await room.tenant.chat.sql("select from message_search where channel_id = $1", UUID(room.id))
    assert left == []


async def test_suggestions_complete_the_last_word_from_what_one_may_see(room: Room) -> None:
    for text in ("Release notes", "release plan", "relay", "relax"):
        await room.send(text)
    await indexed(room.tenant.chat)

    async def suggested(who: Caller, q: str, **query: Any) -> list[str]:
        page = await found(who, q, "/api/search/suggestions", **query)
        words: list[str] = page["suggestions"]
        return words

    assert await suggested(room.ann, "rel") == ["release", "relax", "relay"]
    assert await suggested(room.ann, "release pl", channelId=room.id) == ["plan"]
    assert await suggested(room.eve, "rel") == []
    assert await suggested(room.ann, "r") == []
    assert await suggested(room.ann, "release") == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("q=", 422),
        (f"q={'x' * 501}", 422),
        ("q=x&limit=101", 422),
        ("q=x&from=2026-01-01T00:00:00", 422),
        ("q=x&from=2026-01-01T00:00:00Z&fromDate=2026-01-01T00:00:00Z", 400),
        ("q=x&cursor=x", 400),
        ("q=x&channelId=x", 404),
        ("q=x&userId=%00", 422),
        ("q=%00x", 200),
        ("q=%ff", 200),
    ],
)
async def test_a_malformed_search_is_refused_by_name(room: Room, query: str, status: int) -> None:
    response = await room.ann.call("GET", f"/api/search?{query}")
    assert response.status_code == status, response.text
    if status == 422:
        assert problems(response)


async def test_steps_taken_at_once_and_again_index_everything_once(room: Room, chat: Chat) -> None:
    for number in range(20):
        await room.send(f"parallel {number}")
    await number_and_publish(chat.resources)

    async def step() -> int:
        async with transaction(chat.resources.pool) as tx:
            return await indexer.index_step(tx)

    taken = await asyncio.gather(*(step() for _ in range(4)))
    assert sum(taken) > 0
    assert sorted(taken)[:-1] == [0, 0, 0]
    assert await step() == 0
    # From the beginning once more, as after a restored database: the same rows.
    await chat.sql("update search_position set pos = 0")
    assert await step() > 0
    assert (await found(room.ann, "parallel"))["totalHits"] == 20


async def test_a_step_that_is_rolled_back_is_taken_again(room: Room, chat: Chat) -> None:
    await room.send("persistent")
    await number_and_publish(chat.resources)

    async def fail_behind_it() -> None:
        async with transaction(chat.resources.pool) as tx:
            assert await indexer.index_step(tx) > 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_behind_it()
    assert texts(await found(room.ann, "persistent")) == []
    await indexed(chat)
    assert texts(await found(room.ann, "persistent")) == ["persistent"]


async def test_a_rebuild_brings_what_is_missing_and_takes_what_is_too_much(room: Room, chat: Chat) -> None:
    sent = await room.send("rebuilt")
    await indexed(chat)
    await chat.sql("delete from message_search where message_id = $1", UUID(sent["id"]))
    stray = UUID(new_id())
    await chat.sql(
        "insert into message_search select $1, $2, $3, 'ann', 1, now(), false, 'stray:1', '{}'",
        stray,
        UUID(room.tenant.id),
        UUID(room.id),
    )
    async with reading(chat.resources.pool) as connection:
        assert await indexer.rebuild(connection) > 0
    assert texts(await found(room.ann, "rebuilt")) == ["rebuilt"]
    assert await chat.sql("select from message_search where message_id = $1", stray) == []


async def test_the_loop_follows_the_log_and_says_how_far_behind_it_is(room: Room, chat: Chat) -> None:
    registry = CollectorRegistry()
    instruments = ChatInstruments(registry)
    loops = BackgroundLoops(outages=DATABASE_AWAY)
    loops.start("index", lambda heartbeat: indexer.index_log(chat.resources.pool, instruments, heartbeat))
    try:
        await room.send("followed")
        await number_and_publish(chat.resources)

        async def is_found() -> bool:
            return texts(await found(room.ann, "followed")) == ["followed"]

        await wait_for(is_found, 5, "the message is found")
        await wait_for(
            lambda: registry.get_sample_value("chatsdk_search_backlog_events") == 0, 5, "no backlog"
        )
    finally:
        await loops.stop()
    assert loops.failure is None
    assert (registry.get_sample_value("chatsdk_search_indexed_events_total") or 0) > 0
    assert b"chatsdk_search_backlog_events 0.0" in generate_latest(registry)
