"""Search through its doors: the query language, filters, pages, and who finds what."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from chat_service.search import actions
from chat_service.search.actions import NORMAL_EFFORT, Effort, Filters, Paging, Reader
from chat_service.search.rules import parse_query
from chat_service.search.views import SearchPage
from chatsdk_contracts.ids import AppId, UserId, new_id
from chatsdk_runtime.postgres import transaction
from tests.integration.chat_service.calling import Caller, Chat, error_code, problems
from tests.integration.chat_service.search.room import Room, found, indexed, texts


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


async def searched(
    room: Room, q: str, effort: Effort, paging: Paging | None = None, **filters: Any
) -> SearchPage:
    """ann's search with another effort than the doors make."""
    reader = Reader(AppId(room.tenant.id), UserId("ann"))
    async with transaction(room.tenant.chat.resources.pool) as tx:
        return await actions.search(
            tx, reader, parse_query(q), Filters(**filters), paging or Paging(100), effort
        )


# A few steps are too few for any page, so that the index has to answer.
EFFORTS = [pytest.param(NORMAL_EFFORT, id="walk"), pytest.param(Effort(3, 1_000), id="index")]


@pytest.mark.parametrize("effort", EFFORTS)
async def test_filters_narrow_whether_hits_are_walked_to_or_indexed(room: Room, effort: Effort) -> None:
    other = await room.ann.channel(type="group", name="other", memberIds=["bob"])
    image = {"type": "image", "url": "https://example.test/a.png"}
    await room.send("tea one")
    await room.send("tea two", room.bob, attachments=[image])
    await room.ann.call("POST", f"/api/channels/{other['id']}/messages", {"text": "tea three"})
    last = await room.send("tea four")
    for number in range(4):
        await room.send(f"coffee {number}")
    await indexed(room.tenant.chat)

    async def hits(**filters: Any) -> list[str]:
        return [result.text for result in (await searched(room, "tea", effort, **filters)).results]

    at = datetime.fromisoformat(last["createdAt"])
    assert await hits() == ["tea four", "tea three", "tea two", "tea one"]
    assert await hits(author="bob") == ["tea two"]
    assert await hits(has_attachment=True) == ["tea two"]
    assert await hits(has_attachment=False) == ["tea four", "tea three", "tea one"]
    assert await hits(channel_id=other["id"]) == ["tea three"]
    assert await hits(channel_id=room.id) == ["tea four", "tea two", "tea one"]
    assert await hits(since=at) == ["tea four"]
    assert "tea four" not in await hits(until=at)


async def test_filters_have_their_names_in_the_query(room: Room) -> None:
    other = await room.ann.channel(type="group", memberIds=["bob"])
    image = {"type": "image", "url": "https://example.test/a.png"}
    await room.send("tea one", room.bob, attachments=[image])
    await room.ann.call("POST", f"/api/channels/{other['id']}/messages", {"text": "tea two"})
    await indexed(room.tenant.chat)
    assert texts(await found(room.ann, "tea", userId="bob")) == ["tea one"]
    assert texts(await found(room.ann, "tea", hasAttachment="false")) == ["tea two"]
    assert texts(await found(room.ann, "tea", channelId=other["id"])) == ["tea two"]
    assert texts(await found(room.ann, "tea", f"/api/channels/{room.id}/search")) == ["tea one"]
    long_ago = "2020-01-01T00:00:00Z"
    for since, until in (("from", "to"), ("fromDate", "toDate")):
        assert len(texts(await found(room.ann, "tea", **{since: long_ago}))) == 2
        assert texts(await found(room.ann, "tea", **{until: long_ago})) == []


@pytest.mark.parametrize("effort", EFFORTS)
async def test_pages_bring_every_hit_once_newest_first(room: Room, effort: Effort) -> None:
    sent = [await room.send(f"note {number}") for number in range(7)]
    await indexed(room.tenant.chat)
    seen: list[str] = []
    page = await searched(room, "note", effort, Paging(3))
    while True:
        seen += [result.message_id for result in page.results]
        assert (page.total_hits, page.total_is_exact) == (7, True)
        assert page.has_more == (page.next_cursor is not None)
        if not page.has_more:
            break
        page = await searched(room, "note", effort, Paging(3, page.next_cursor))
    assert seen == [message["id"] for message in reversed(sent)]


async def test_many_hits_are_counted_up_to_a_limit_that_is_told(room: Room) -> None:
    for number in range(5):
        await room.send(f"note {number}")
    await indexed(room.tenant.chat)
    page = await searched(room, "note", Effort(10_000, 3), Paging(2))
    assert (page.total_hits, page.total_is_exact, len(page.results)) == (3, False, 2)


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
