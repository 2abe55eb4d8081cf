"""Reactions through the doors and the batched writer: each change once, counted, told, and nobody else's to make."""

import asyncio
from urllib.parse import quote
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from chat_service.errors import NotAMember
from chat_service.reactions.rules import MOST_TYPES, Reacting
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from tests.integration.chat_service.calling import Chat, Tenant, error_code, problems
from tests.integration.chat_service.channel_rows import a_send, running_writer
from tests.integration.chat_service.message_room import UNKNOWN_ID, MessageRoom, a_room

THUMB = "\N{THUMBS UP SIGN}"
HEART = "\N{HEAVY BLACK HEART}"
RED_HEART = HEART + "\N{VARIATION SELECTOR-16}"


@pytest.fixture
async def room(tenant: Tenant) -> MessageRoom:
    return await a_room(tenant)


def reactions(message: dict[str, object], reaction_type: str | None = None, query: str = "") -> str:
    """The path of a message's reactions, or of one."""
    return (
        f"/{message['id']}/reactions" + (f"/{quote(reaction_type, safe='')}" if reaction_type else "") + query
    )


async def test_a_reaction_is_made_once_and_its_repeat_is_told_so(room: MessageRoom) -> None:
    sent = await room.send("hello")

    first = await room.call(room.bob, "POST", reactions(sent), {"type": THUMB})
    again = await room.call(room.bob, "POST", reactions(sent), {"emoji": THUMB})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() == {
        "messageId": sent["id"],
        "channelId": room.id,
        "userId": "bob",
        "type": THUMB,
        "counts": {THUMB: 1},
        "createdAt": first.json()["createdAt"],
    }
    assert len(await room.events("reaction.added")) == 1


async def test_four_changes_are_four_events_with_dense_versions(room: MessageRoom) -> None:
    sent = await room.send("hello")
    for _ in range(2):
        assert (await room.call(room.bob, "POST", reactions(sent), {"type": THUMB})).status_code == 201
        gone = await room.call(room.bob, "DELETE", reactions(sent, THUMB))
        assert (gone.status_code, gone.json()["counts"], gone.json()["type"]) == (200, {}, THUMB)

    events = await room.events("reaction.added", "reaction.removed")

    assert [event["type"] for event in events] == ["reaction.added", "reaction.removed"] * 2
    assert [int(event["sequence"]) for event in events] == [sent["cv"] + n for n in (1, 2, 3, 4)]
    assert [event["data"]["counts"] for event in events] == [{THUMB: 1}, {}] * 2
    assert set(events[0]["data"]) == {"messageId", "channelId", "userId", "type", "counts"}
    assert events[0]["actorid"] == "bob"
    read = await room.read(sent)
    assert (read["cv"], read["version"], read["reactionCounts"]) == (sent["cv"] + 4, 1, {})


async def test_both_spellings_of_an_emoji_are_one_reaction(room: MessageRoom) -> None:
    sent = await room.send("hello")

    first = await room.call(room.bob, "POST", reactions(sent), {"type": HEART})
    again = await room.call(room.bob, "POST", reactions(sent), {"type": RED_HEART})

    assert (first.json()["type"], first.status_code, again.status_code) == (RED_HEART, 201, 200)
    assert (await room.call(room.bob, "DELETE", reactions(sent, HEART))).status_code == 200


async def test_the_reader_sees_its_own_reactions_and_no_event_or_row_does(
    room: MessageRoom, chat: Chat
) -> None:
    sent = await room.send("hello")
    await room.call(room.bob, "POST", reactions(sent), {"type": THUMB})
    await room.call(room.bob, "POST", reactions(sent), {"type": ":party:"})

    assert (await room.read(sent, room.bob))["ownReactions"] == [THUMB, ":party:"]
    assert (await room.read(sent, room.ann))["ownReactions"] == []
    [listed] = (await room.call(room.bob, "GET")).json()["messages"]
    assert (listed["ownReactions"], listed["reactionCounts"]) == (
        [THUMB, ":party:"],
        {THUMB: 1, ":party:": 1},
    )
    assert "ownReactions" not in (await room.server("GET", f"/{sent['id']}")).json()
    assert not [row for row in await chat.sql("select body from event") if b"ownReactions" in row["body"]]


async def test_identical_reactions_at_once_are_one(room: MessageRoom) -> None:
    sent = await room.send("hello")

    answers = await asyncio.gather(
        *(room.call(room.bob, "POST", reactions(sent), {"type": THUMB}) for _ in range(20))
    )

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len(await room.events("reaction.added")) == 1
    gone = await asyncio.gather(*(room.call(room.bob, "DELETE", reactions(sent, THUMB)) for _ in range(20)))
    assert sorted(answer.status_code for answer in gone) == [200] + [404] * 19
    assert len(await room.events("reaction.removed")) == 1


async def test_an_idempotency_key_replays_the_answer_also_when_the_calls_meet(room: MessageRoom) -> None:
    sent = await room.send("hello")
    body = {"type": THUMB}

    answers = await asyncio.gather(
        *(room.call(room.bob, "POST", reactions(sent), body, Idempotency_Key="k") for _ in range(5))
    )

    assert [answer.status_code for answer in answers] == [201] * 5
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 4
    assert len(await room.events("reaction.added")) == 1
    await room.call(room.bob, "DELETE", reactions(sent, THUMB))
    replayed = await room.call(room.bob, "POST", reactions(sent), body, Idempotency_Key="k")
    assert (replayed.status_code, replayed.headers["idempotent-replayed"]) == (201, "true")
    assert (await room.read(sent))["reactionCounts"] == {}
    other = await room.call(room.bob, "POST", reactions(sent), {"type": ":x:"}, Idempotency_Key="k")
    assert (other.status_code, error_code(other)) == (422, "idempotency_mismatch")


async def test_sends_and_reactions_share_batches_and_versions_stay_dense(
    chat: Chat, chat_database: str, room: MessageRoom
) -> None:
    sent = await room.send("hello")
    app, channel, message = AppId(room.tenant.id), ChannelId(room.id), MessageId(sent["id"])

    def reacting(number: int) -> Reacting:
        user = UserId(("ann", "bob")[number % 2])
        return Reacting(app, channel, message, user, f":r{number // 2}:", "add", None)

    async with running_writer(chat_database, writers=1) as writer:
        await asyncio.gather(
            *(writer.write(a_send(app, channel, f"m{number}")) for number in range(30)),
            *(writer.react(reacting(number)) for number in range(60)),
        )

    events = await room.events()
    assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
    (head,) = await chat.sql("select cv from channel where id = $1", UUID(room.id))
    assert head["cv"] == len(events)
    last = [event for event in events if event["type"] == "reaction.added"][-1]
    read = await room.read(sent)
    assert read["reactionCounts"] == last["data"]["counts"] == {f":r{number}:": 2 for number in range(30)}
    assert read["cv"] == int(last["sequence"])


async def test_a_channel_that_is_busy_delays_its_reactions_only(chat: Chat, room: MessageRoom) -> None:
    sent, other = await room.send("hello"), await a_room(room.tenant, name="other")
    elsewhere = await other.send("free")
    async with chat.resources.pool.acquire() as holder:
        hold = holder.transaction()
        await hold.start()
        await holder.execute("select from channel where id = $1 for update", UUID(room.id))
        waiting = asyncio.create_task(room.call(room.bob, "POST", reactions(sent), {"type": THUMB}))
        assert (await other.call(room.bob, "POST", reactions(elsewhere), {"type": THUMB})).status_code == 201
        assert not waiting.done()
        await hold.rollback()

    assert (await waiting).status_code == 201


async def test_a_member_removed_under_the_lock_does_not_react(chat: Chat, room: MessageRoom) -> None:
    sent = await room.send("hello")
    async with chat.resources.pool.acquire() as remover:
        removal = remover.transaction()
        await removal.start()
        await remover.execute("select from channel where id = $1 for no key update", UUID(room.id))
        await remover.execute(
            "delete from channel_member where channel_id = $1 and user_id = 'bob'", UUID(room.id)
        )
        waiting = asyncio.create_task(room.call(room.bob, "POST", reactions(sent), {"type": THUMB}))
        other = await a_room(room.tenant, name="another round")
        await other.send("written meanwhile")
        await removal.commit()

    refused = await waiting
    assert (refused.status_code, error_code(refused)) == (403, "not_a_member")


async def test_the_list_goes_by_type_and_time_page_by_page(room: MessageRoom) -> None:
    sent = await room.send("hello")
    for who in (room.ann, room.bob):
        for reaction_type in (":b:", ":a:", ":c:"):
            await room.call(who, "POST", reactions(sent), {"type": reaction_type})

    seen, cursor = [], ""
    while True:
        page = (await room.call(room.ann, "GET", reactions(sent, query=f"?limit=4{cursor}"))).json()
        seen += [(one["type"], one["userId"]) for one in page["reactions"]]
        if not page["hasMore"]:
            break
        cursor = f"&cursor={page['nextCursor']}"
    only = (await room.call(room.ann, "GET", reactions(sent, query="?type=:b:"))).json()

    assert seen == [(name, user) for name in (":a:", ":b:", ":c:") for user in ("ann", "bob")]
    assert [(one["type"], one["userId"]) for one in only["reactions"]] == [(":b:", "ann"), (":b:", "bob")]
    assert (await room.call(room.ann, "GET", reactions(sent, query="?cursor=x"))).status_code == 400
    assert problems(await room.call(room.ann, "GET", reactions(sent, query="?type=no"))) == {
        "type": "not_an_emoji"
    }


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        pytest.param({"type": "not an emoji"}, "type", "not_an_emoji", id="words"),
        pytest.param({"emoji": "ok"}, "emoji", "not_an_emoji", id="words under the older name"),
        pytest.param({"type": THUMB * 2}, "type", "not_an_emoji", id="two emoji"),
        pytest.param({"type": ":Big:"}, "type", "not_an_emoji", id="capitals in a custom name"),
        pytest.param({}, "body", "one_of", id="neither"),
        pytest.param({"type": THUMB, "emoji": THUMB}, "body", "one_of", id="both"),
        pytest.param({"type": THUMB, "userId": "ann"}, "userId", "not_yours", id="in another's name"),
        pytest.param({"type": "x" * 51}, "type", "too_long", id="too long"),
    ],
)
async def test_what_is_no_reaction_is_named_by_path(
    room: MessageRoom, body: dict[str, str], path: str, code: str
) -> None:
    sent = await room.send("hello")

    response = await room.call(room.bob, "POST", reactions(sent), body)

    assert (response.status_code, problems(response)) == (422, {path: code})
    if code == "not_an_emoji":
        assert ":party-parrot:" in response.json()["error"]["hint"]


async def test_a_server_reacts_in_a_members_name(room: MessageRoom) -> None:
    sent = await room.send("hello")

    nobody = await room.server("POST", reactions(sent), {"type": THUMB})
    stranger = await room.server("POST", reactions(sent), {"type": THUMB, "userId": "eve"})
    made = await room.server("POST", reactions(sent), {"type": THUMB, "userId": "bob"})
    gone = await room.server("DELETE", reactions(sent, THUMB, "?userId=bob"))

    assert problems(nobody) == {"userId": "missing"}
    assert error_code(stranger) == "not_a_member"
    assert (made.status_code, made.json()["userId"], gone.status_code) == (201, "bob", 200)


async def test_where_reactions_are_refused(room: MessageRoom) -> None:
    sent = await room.send("hello")
    body = {"type": THUMB}
    await room.call(room.bob, "POST", reactions(sent), {"type": ":kept:"})
    eve = await room.tenant.user("eve")
    channel = f"/api/channels/{room.id}"

    assert error_code(await room.call(eve, "POST", reactions(sent), body)) == "not_a_member"
    assert error_code(await room.call(eve, "GET", reactions(sent))) == "not_a_member"
    unknown = await room.call(room.bob, "POST", reactions({"id": UNKNOWN_ID}), body)
    assert (unknown.status_code, error_code(unknown)) == (404, "message_not_found")
    absent = await room.call(room.bob, "DELETE", reactions(sent, THUMB))
    assert (absent.status_code, error_code(absent)) == (404, "reaction_not_found")
    assert (
        error_code(await room.call(room.bob, "DELETE", reactions(sent, "nonsense"))) == "reaction_not_found"
    )

    await room.ann.call("PATCH", channel, {"config": {"reactions": False}})
    off = await room.call(room.bob, "POST", reactions(sent), body)
    assert (off.status_code, error_code(off)) == (403, "reactions_off")
    assert (await room.call(room.bob, "DELETE", reactions(sent, ":kept:"))).status_code == 200
    await room.ann.call("PATCH", channel, {"config": {"reactions": True}, "frozen": True})
    assert error_code(await room.call(room.bob, "POST", reactions(sent), body)) == "channel_frozen"
    assert (await room.call(room.ann, "POST", reactions(sent), body)).status_code == 201
    await room.ann.call("PATCH", channel, {"frozen": False})

    await room.call(room.ann, "DELETE", f"/{sent['id']}")
    deleted = await room.call(room.bob, "POST", reactions(sent), body)
    assert (deleted.status_code, error_code(deleted)) == (409, "message_deleted")
    assert (await room.call(room.bob, "GET", reactions(sent))).json()["reactions"] == []


async def test_a_private_channel_is_not_told_of(room: MessageRoom) -> None:
    private = await a_room(room.tenant, type="private")
    sent, eve = await private.send("hello"), await room.tenant.user("eve")

    for method, path, body in (
        ("POST", reactions(sent), {"type": THUMB}),
        ("DELETE", reactions(sent, THUMB), None),
        ("GET", reactions(sent), None),
    ):
        assert error_code(await private.call(eve, method, path, body)) == "channel_not_found"


async def test_a_message_has_a_limited_number_of_types_and_any_number_of_each(room: MessageRoom) -> None:
    sent = await room.send("hello")
    made = await asyncio.gather(
        *(
            room.call(room.ann, "POST", reactions(sent), {"type": f":n{number}:"})
            for number in range(MOST_TYPES + 5)
        )
    )

    refused = [answer for answer in made if answer.status_code != 201]

    assert {error_code(answer) for answer in refused} == {"too_many_reactions"}
    assert len(refused) == 5
    counts = (await room.read(sent))["reactionCounts"]
    assert len(counts) == MOST_TYPES
    assert (
        await room.call(room.bob, "POST", reactions(sent), {"type": next(iter(counts))})
    ).status_code == 201


async def test_another_app_finds_nothing_and_changes_nothing(room: MessageRoom, chat: Chat) -> None:
    sent = await room.send("hello")
    stranger = await chat.new_tenant("other")
    eve = await stranger.user("ann")

    for method, path, body in (
        ("POST", reactions(sent), {"type": THUMB}),
        ("DELETE", reactions(sent, THUMB), None),
        ("GET", reactions(sent), None),
    ):
        assert error_code(await room.call(eve, method, path, body)) == "channel_not_found"
        keyed = await room.call(eve, method, path, body, Idempotency_Key=f"k-{method}")
        assert error_code(keyed) == "channel_not_found"
    assert await room.events("reaction.added") == []


async def test_what_becomes_of_reactions_is_counted(chat_database: str, room: MessageRoom) -> None:
    sent, registry = await room.send("hello"), CollectorRegistry()
    ids = AppId(room.tenant.id), ChannelId(room.id), MessageId(sent["id"])

    async with running_writer(chat_database, registry=registry) as writer:
        await writer.react(Reacting(*ids, UserId("bob"), THUMB, "add", None))
        await writer.react(Reacting(*ids, UserId("bob"), THUMB, "add", None))
        with pytest.raises(NotAMember):
            await writer.react(Reacting(*ids, UserId("eve"), THUMB, "add", None))

    for outcome in ("stored", "repeat", "refused"):
        assert registry.get_sample_value("chatsdk_reactions_total", {"outcome": outcome}) == 1
    assert registry.get_sample_value("chatsdk_sends_total", {"outcome": "stored"}) is None
