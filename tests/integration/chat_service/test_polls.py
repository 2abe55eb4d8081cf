"""Polls through their doors: making, voting at the same time, secrecy, closing by hand and by time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from chat_service.polls import closing
from chatsdk_contracts.ids import new_id
from chatsdk_contracts.wire import format_time
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems
from tests.integration.chat_service.sending_doors import doors_that_send
from tests.waiting import wait_for

OPTIONS = [{"id": "red", "text": "Red"}, {"id": "blue", "text": "Blue"}, {"text": "None"}]


@pytest.fixture(scope="module")
async def chat(chat_database: str) -> AsyncIterator[Chat]:
    async with doors_that_send(chat_database) as doors:
        yield doors


@dataclass
class Room:
    """A group: ann runs it, bob is in it, eve is not."""

    tenant: Tenant
    ann: Caller
    bob: Caller
    eve: Caller
    id: str

    async def poll(self, who: Caller | None = None, **fields: Any) -> dict[str, Any]:
        asked = {"question": "Which?", "options": OPTIONS, **fields}
        made = await (who or self.ann).call("POST", f"/api/channels/{self.id}/polls", asked)
        assert made.status_code == 201, made.text
        poll: dict[str, Any] = made.json()
        return poll

    async def events(self, *types: str) -> list[dict[str, Any]]:
        logged = await self.tenant.events(f"channels/{self.id}")
        versions = [int(event["sequence"]) for event in logged]
        assert versions == list(range(1, len(versions) + 1))
        return [event for event in logged if event["type"] in types]


@pytest.fixture
async def room(tenant: Tenant) -> Room:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await ann.channel(type="group", memberIds=["bob"])
    return Room(tenant, ann, bob, eve, made["id"])


async def vote(who: Caller, poll: dict[str, Any], *chosen: str, **headers: str) -> httpx2.Response:
    return await who.call("POST", f"/api/polls/{poll['id']}/vote", {"optionIds": chosen}, **headers)


def counts(poll: dict[str, Any]) -> dict[str, int]:
    return {option["id"]: option["voteCount"] for option in poll["options"]}


async def test_a_poll_is_sent_with_its_message_and_told_once(room: Room) -> None:
    poll = await room.poll()
    message = (await room.ann.call("GET", f"/api/channels/{room.id}/messages/{poll['messageId']}")).json()
    assert [option["id"] for option in poll["options"]] == ["red", "blue", "1"]
    assert (poll["channelId"], poll["createdBy"], poll["totalVotes"]) == (room.id, "ann", 0)
    assert (message["text"], message["pollId"]) == ("Which?", poll["id"])
    [sent] = await room.events("message.new")
    [told] = await room.events("poll.created")
    assert told["data"] == poll
    assert told["actorid"] == "ann"
    assert int(told["sequence"]) == int(sent["sequence"]) + 1 == message["cv"]
    shown = (await room.bob.call("GET", f"/api/polls/{poll['id']}")).json()
    assert shown == {**poll, "ownOptionIds": []}


async def test_the_same_poll_again_is_the_same_poll(room: Room) -> None:
    asked = {"question": "Which?", "options": OPTIONS, "text": "Please vote", "clientMsgId": "c"}
    path = f"/api/channels/{room.id}/polls"
    answers = await asyncio.gather(*(room.ann.call("POST", path, asked) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await room.ann.call("POST", path, {**asked, "isAnonymous": True})
    assert (other.status_code, error_code(other)) == (422, "idempotency_mismatch")
    keyed = [
        await room.ann.call("POST", path, {**asked, "clientMsgId": None}, Idempotency_Key="k") for _ in "ab"
    ]
    assert [answer.status_code for answer in keyed] == [201, 201]
    assert keyed[0].json() == keyed[1].json()
    assert len(await room.events("poll.created")) == len(await room.events("message.new")) == 2


async def test_a_call_that_died_between_message_and_poll_is_healed_by_its_repeat(room: Room) -> None:
    asked = {"question": "Which?", "options": OPTIONS, "clientMsgId": "c"}
    path = f"/api/channels/{room.id}/polls"
    first = (await room.ann.call("POST", path, asked)).json()
    # As it was after the first of the two transactions.
    await room.tenant.chat.sql("delete from poll where id = $1", UUID(first["id"]))
    again = await room.ann.call("POST", path, asked)
    assert (again.status_code, again.json()["messageId"]) == (201, first["messageId"])


async def test_the_author_attaches_a_poll_to_a_message_once(room: Room) -> None:
    path = f"/api/channels/{room.id}/messages"
    message = (await room.bob.call("POST", path, {"text": "hi"})).json()
    asked = {"question": "Which?", "options": OPTIONS}
    refused = await room.ann.call("POST", f"{path}/{message['id']}/polls", asked)
    assert (refused.status_code, error_code(refused)) == (403, "forbidden")
    answers = await asyncio.gather(
        *(room.bob.call("POST", f"{path}/{message['id']}/polls", asked) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    [made] = [answer.json() for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code == 409:
            assert error_code(answer) == "poll_exists"
            assert answer.json()["error"]["current"]["id"] == made["id"]
    assert len(await room.events("poll.created")) == 1
    missing = await room.bob.call("POST", f"{path}/{new_id()}/polls", asked)
    assert (missing.status_code, error_code(missing)) == (404, "message_not_found")


async def test_a_vote_is_set_changed_and_withdrawn_each_told_once(room: Room) -> None:
    poll = await room.poll()
    first = (await vote(room.bob, poll, "red")).json()
    assert (counts(first), first["totalVotes"], first["ownOptionIds"]) == (
        {"red": 1, "blue": 0, "1": 0},
        1,
        ["red"],
    )
    assert (await vote(room.bob, poll, "red")).json() == first
    changed = (await vote(room.bob, poll, "blue")).json()
    assert (counts(changed)["red"], counts(changed)["blue"], changed["totalVotes"]) == (0, 1, 1)
    for _ in range(2):
        gone = await room.bob.call("DELETE", f"/api/polls/{poll['id']}/vote")
        assert (gone.status_code, gone.json()["totalVotes"], gone.json()["ownOptionIds"]) == (200, 0, [])
    told = await room.events("poll.voted", "poll.vote_removed")
    assert [(event["type"], event["data"]["optionIds"]) for event in told] == [
        ("poll.voted", ["red"]),
        ("poll.voted", ["blue"]),
        ("poll.vote_removed", ["blue"]),
    ]
    assert [event["data"]["userId"] for event in told] == ["bob", "bob", "bob"]
    assert told[1]["data"]["counts"] == {"red": 0, "blue": 1, "1": 0}


async def test_a_hundred_votes_at_once_are_all_counted(room: Room) -> None:
    poll = await room.poll(isMultiChoice=True)
    names = [f"voter-{number}" for number in range(50)]
    made = await asyncio.gather(
        *(room.tenant.server("POST", "/api/users/ensure", {"userId": name}) for name in names)
    )
    assert {answer.status_code for answer in made} == {201}
    await room.tenant.server("POST", f"/api/channels/{room.id}/members", {"userIds": names})
    path = f"/api/polls/{poll['id']}/vote"
    choices = [["red"], ["blue"], ["red", "1"], ["1", "blue", "red"]]
    # Each voter twice: the same choice, so that one of the two changes nothing.
    votes = [{"userId": name, "optionIds": choices[number % 4]} for number, name in enumerate(names)]
    answers = await asyncio.gather(*(room.tenant.server("POST", path, one) for one in votes * 2))
    assert {answer.status_code for answer in answers} == {200}
    expected = Counter(option for number in range(50) for option in choices[number % 4])
    shown = (await room.ann.call("GET", f"/api/polls/{poll['id']}")).json()
    assert counts(shown) == expected
    assert shown["totalVotes"] == 50
    told = await room.events("poll.voted")
    assert Counter(event["data"]["userId"] for event in told) == dict.fromkeys(names, 1)
    assert told[-1]["data"]["counts"] == expected


async def test_who_voted_in_an_anonymous_poll_is_told_nowhere(room: Room) -> None:
    poll = await room.poll(isAnonymous=True)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert (await vote(room.bob, poll, "red", traceparent=trace)).json()["ownOptionIds"] == ["red"]
    await room.bob.call("DELETE", f"/api/polls/{poll['id']}/vote")
    await vote(room.bob, poll, "blue")
    told = await room.events("poll.voted", "poll.vote_removed")
    assert len(told) == 3
    for event in told:
        assert event["data"]["userId"] is None
        assert "bob" not in str(event)
        assert event.get("actorid") is None
        assert event.get("traceparent") is None
    for who in (room.ann.call, room.tenant.server):
        results = (await who("GET", f"/api/polls/{poll['id']}/results")).json()
        assert results["voters"] is None
        assert "bob" not in str(results)


async def test_the_log_lines_of_votes_name_nobody(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    poll = await room.poll(isAnonymous=True)
    capsys.readouterr()
    await vote(room.bob, poll, "red")
    assert "bob" not in capsys.readouterr().out


async def test_results_bring_voters_in_pages(room: Room) -> None:
    poll = await room.poll(isMultiChoice=True)
    await vote(room.ann, poll, "red", "blue")
    await vote(room.bob, poll, "blue")
    path = f"/api/polls/{poll['id']}/results"
    first = (await room.bob.call("GET", f"{path}?limit=1")).json()
    assert [(voter["userId"], voter["optionIds"]) for voter in first["voters"]] == [("ann", ["red", "blue"])]
    assert (first["hasMore"], first["ownOptionIds"], counts(first)["blue"]) == (True, ["blue"], 2)
    second = (await room.bob.call("GET", f"{path}?limit=1&cursor={first['nextCursor']}")).json()
    assert ([voter["userId"] for voter in second["voters"]], second["hasMore"]) == (["bob"], False)
    red = (await room.bob.call("GET", f"{path}?optionId=red")).json()
    assert [voter["userId"] for voter in red["voters"]] == ["ann"]
    assert problems(await room.bob.call("GET", f"{path}?optionId=x")) == {"optionId": "unknown_option"}


async def test_author_moderator_and_server_close_a_poll_and_votes_are_refused(room: Room) -> None:
    poll = await room.poll()
    path = f"/api/polls/{poll['id']}/close"
    refused = await room.bob.call("POST", path)
    assert (refused.status_code, error_code(refused)) == (403, "role_too_low")
    answers = await asyncio.gather(*(room.ann.call("POST", path) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["closedAt"] for answer in answers}) == 1
    assert len(await room.events("poll.closed")) == 1
    for late in (
        await vote(room.bob, poll, "red"),
        await room.bob.call("DELETE", f"/api/polls/{poll['id']}/vote"),
    ):
        assert (late.status_code, error_code(late)) == (409, "poll_closed")
    own = await room.poll(room.bob)
    assert (await room.bob.call("POST", f"/api/polls/{own['id']}/close")).status_code == 200
    third = await room.poll()
    assert (await room.tenant.server("POST", f"/api/polls/{third['id']}/close")).status_code == 200


async def test_a_poll_closes_itself_once_when_its_time_is_over(room: Room, chat: Chat) -> None:
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    poll = await room.poll(endsAt=format_time(ends_at))
    pool = chat.resources.pool
    assert await closing.close_due(pool, 1, ends_at - timedelta(minutes=1)) == 0
    later = ends_at + timedelta(seconds=1)
    closed = await asyncio.gather(*(closing.close_due(pool, 1, later) for _ in range(4)))
    assert sum(closed) == 1
    [told] = await room.events("poll.closed")
    assert told["data"]["closedAt"] == poll["endsAt"]
    assert told.get("actorid") is None
    late = await vote(room.bob, poll, "red")
    assert (late.status_code, error_code(late)) == (409, "poll_closed")


async def test_a_poll_that_nobody_sees_is_closed_in_silence_and_keeps_no_other_from_it(
    room: Room, chat: Chat
) -> None:
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    await room.poll(endsAt=format_time(ends_at))
    assert (await room.ann.call("POST", f"/api/channels/{room.id}/truncate", {})).status_code == 200
    seen = await room.poll(endsAt=format_time(ends_at + timedelta(seconds=1)))

    later = ends_at + timedelta(minutes=1)
    while await closing.close_due(chat.resources.pool, 1, later, at_once=1):
        pass

    told = await room.events("poll.closed")
    assert [one["data"]["id"] for one in told] == [seen["id"]]


async def test_a_vote_is_refused_by_time_before_the_loop_has_come(room: Room, chat: Chat) -> None:
    poll = await room.poll(endsAt=format_time(datetime.now(UTC) + timedelta(hours=1)))
    await chat.sql("update poll set ends_at = now() - interval '1 second' where id = $1", UUID(poll["id"]))
    late = await vote(room.bob, poll, "red")
    assert (late.status_code, error_code(late)) == (409, "poll_closed")
    loops = BackgroundLoops(outages=DATABASE_AWAY)
    loops.start("closing", lambda beat: closing.close_polls(chat.resources.pool, 1, lambda: None, beat))
    try:

        async def is_told() -> bool:
            return len(await room.events("poll.closed")) == 1

        await wait_for(is_told, 10, "the poll is closed")
    finally:
        await loops.stop()
    assert loops.failure is None


async def test_deleting_the_message_takes_the_poll_and_its_words_with_it(room: Room, chat: Chat) -> None:
    poll = await room.poll(question="Marker question?", options=[{"text": "marker a"}, {"text": "marker b"}])
    await vote(room.bob, poll, "1")
    await room.ann.call("POST", f"/api/polls/{poll['id']}/close")
    gone = await room.ann.call("DELETE", f"/api/channels/{room.id}/messages/{poll['messageId']}")
    assert (gone.status_code, gone.json()["pollId"]) == (200, None)
    assert "arker" not in str(await room.tenant.events(f"channels/{room.id}"))
    assert (await room.bob.call("GET", f"/api/polls/{poll['id']}")).status_code == 404
    for table in ("poll_option", "poll_vote"):
        assert await chat.sql(f"select from {table} where poll_id = $1", UUID(poll["id"])) == []
    stored = (await room.ann.call("GET", f"/api/channels/{room.id}/messages/{poll['messageId']}")).json()
    assert stored["pollId"] is None


async def test_outsiders_and_other_apps_learn_nothing_of_a_poll(room: Room, chat: Chat) -> None:
    private = await room.ann.channel(type="private", name="p")
    asked = {"question": "Which?", "options": OPTIONS}
    hidden = (await room.ann.call("POST", f"/api/channels/{private['id']}/polls", asked)).json()
    shown = await room.poll()
    other = await chat.new_tenant("other")
    stranger = await other.user("ann")
    calls = [("GET", ""), ("GET", "/results"), ("POST", "/close"), ("DELETE", "/vote"), ("POST", "/vote")]
    for method, path in calls:
        body = {"optionIds": ["red"]} if (method, path) == ("POST", "/vote") else None
        for who, poll in ((room.eve, hidden), (stranger, hidden), (stranger, shown)):
            answer = await who.call(method, f"/api/polls/{poll['id']}{path}", body)
            assert (answer.status_code, error_code(answer)) == (404, "poll_not_found")
        answer = await room.eve.call(method, f"/api/polls/{shown['id']}{path}", body)
        assert (answer.status_code, error_code(answer)) == (403, "not_a_member")
        assert (
            await other.server(method, f"/api/polls/{shown['id']}{path}?userId=ann", body)
        ).status_code in {
            404,
            422,
        }
    refused = await room.eve.call("POST", f"/api/channels/{room.id}/polls", asked)
    assert (refused.status_code, error_code(refused)) == (403, "not_a_member")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"question": ""}, "question"),
        ({"question": "x" * 1_001}, "question"),
        ({"options": [{"text": "a"}]}, "options"),
        ({"options": [{"text": "a"}] * 101}, "options"),
        ({"options": [{"text": "a"}, {"text": ""}]}, "options[1].text"),
        ({"options": [{"id": "x", "text": "a"}, {"id": "x", "text": "b"}]}, "options[1].id"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, "endsAt"),
        ({"endsAt": "2099-01-01T00:00:00"}, "endsAt"),
        ({"extra": 1}, "extra"),
    ],
)
async def test_a_malformed_poll_is_refused_and_sends_nothing(
    room: Room, change: dict[str, Any], path: str
) -> None:
    asked = {"question": "Which?", "options": OPTIONS, **change}
    refused = await room.ann.call("POST", f"/api/channels/{room.id}/polls", asked)
    assert refused.status_code == 422, refused.text
    assert path in problems(refused)
    assert await room.events("message.new") == []


async def test_a_malformed_vote_is_refused(room: Room) -> None:
    poll = await room.poll()
    assert problems(await vote(room.bob, poll)) == {"optionIds": "too_short"}
    assert problems(await vote(room.bob, poll, "x")) == {"optionIds[0]": "unknown_option"}
    assert problems(await vote(room.bob, poll, "red", "blue")) == {"optionIds": "single_choice"}
    nobody = await room.tenant.server("POST", f"/api/polls/{poll['id']}/vote", {"optionIds": ["red"]})
    assert problems(nobody) == {"userId": "missing"}
    other = await room.bob.call(
        "POST", f"/api/polls/{poll['id']}/vote", {"optionIds": ["red"], "userId": "ann"}
    )
    assert problems(other) == {"userId": "not_yours"}


async def test_a_frozen_channel_takes_no_polls_and_no_votes_from_members(room: Room) -> None:
    poll = await room.poll()
    await room.ann.call("PATCH", f"/api/channels/{room.id}", {"frozen": True})
    for answer in (
        await vote(room.bob, poll, "red"),
        await room.bob.call("POST", f"/api/channels/{room.id}/polls", {"question": "?", "options": OPTIONS}),
    ):
        assert (answer.status_code, error_code(answer)) == (403, "channel_frozen")
    assert (await vote(room.ann, poll, "red")).status_code == 200
