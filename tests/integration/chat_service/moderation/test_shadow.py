"""What a shadow-banned user writes: whole for themselves, and nowhere for anybody else."""

import json
from dataclasses import dataclass
from typing import Any

from chat_service.channels.sweep import Sweep
from chat_service.search import indexer
from chatsdk_runtime.postgres import transaction
from tests.integration.chat_service.calling import Caller, Tenant, error_code
from tests.integration.chat_service.moderation.floor import SPOKEN, Floor, listening
from tests.integration.chat_service.sync.devices import Device, all_numbered
from tests.integration.chat_service.uploading import File, uploaded


@dataclass
class Shadowed:
    """eve, shadow-banned, and what she wrote: a message with a file and a poll, and a reply to ann's message."""

    floor: Floor
    message: dict[str, Any]
    reply: dict[str, Any]
    poll: dict[str, Any]
    upload: str

    @property
    def roads(self) -> list[str]:
        """Every call that shows messages, or something of one."""
        path, mine = self.floor.path, f"{self.floor.path}/messages/{self.message['id']}"
        return [
            f"{path}/messages?limit=200",
            f"{path}/messages?since_seq=0",
            f"{path}/messages?since_seq=1",
            f"{path}/messages?before={self.floor.first['id']}",
            f"{path}/messages?after={self.floor.first['id']}",
            f"{path}/messages?after={self.message['id']}",
            mine,
            f"{path}/messages/{self.reply['id']}",
            f"{path}/messages/{self.floor.first['id']}/thread",
            f"{path}/messages/{self.floor.first['id']}/thread/participants",
            "/api/threads",
            "/api/mentions",
            f"{mine}/reactions",
            f"{mine}/history",
            f"{path}/pins",
            f"{path}/uploads",
            f"/api/uploads/{self.upload}",
            f"/api/polls/{self.poll['id']}",
            f"/api/polls/{self.poll['id']}/results",
            f"/api/search?q={SPOKEN.replace(' ', '%20')}",
            f"/api/search?q=words&channelId={self.floor.id}",
            "/api/search/suggestions?q=wor",
            "/api/channels",
            path,
            "/api/users/me/saved",
            "/api/sync",
        ]

    async def everything(self, reader: Caller) -> str:
        return "\n".join([(await reader.call("GET", road)).text for road in self.roads])


async def shadowed(floor: Floor) -> Shadowed:
    await floor.ban(None, shadow=True)
    form = File(b"%PDF-1.7\n" + b"x" * 200, name="words.pdf", fields={"channelId": floor.id})
    upload = (await uploaded(floor.eve, form))["id"]
    message = await floor.sent(floor.eve, attachments=[{"type": "file", "url": "x", "uploadId": upload}])
    reply = await floor.sent(floor.eve, parentId=floor.first["id"], mentionedUserIds=["dan", "ann"])
    body = {"question": SPOKEN, "options": [{"text": "yes"}, {"text": "no"}]}
    poll = await floor.eve.call("POST", f"{floor.path}/messages/{message['id']}/polls", body)
    assert poll.status_code == 201, poll.text
    return Shadowed(floor, message, reply, poll.json(), upload)


async def index(tenant: Tenant) -> None:
    await all_numbered(tenant.chat)
    more = True
    while more:
        async with transaction(tenant.chat.resources.pool) as tx:
            more = await indexer.index_step(tx) > 0


async def test_nobody_else_finds_anything_of_it_by_any_road_and_its_author_all(floor: Floor) -> None:
    away = {who.id: Device(who) for who in (floor.dan, floor.bob, floor.eve)}
    for device in away.values():
        await device.catch_up()
    async with listening(floor.tenant.chat) as sockets:
        ears = {who.id: await sockets.connect(who) for who in (floor.dan, floor.ann, floor.eve)}
        made = await shadowed(floor)
        await floor.eve.call(
            "PATCH", f"{floor.path}/messages/{made.message['id']}", {"text": f"more {SPOKEN}"}
        )
        await floor.eve.call("POST", f"{floor.path}/messages/{made.message['id']}/reactions", {"type": "👍"})
        vote = await floor.eve.call("POST", f"/api/polls/{made.poll['id']}/vote", {"optionIds": ["1"]})
        assert vote.json()["totalVotes"] == 1
        for change in ("pin", "save"):
            await floor.eve.call("POST", f"{floor.path}/messages/{made.message['id']}/{change}")
        await index(floor.tenant)
        await sockets.hub.resync()
        cv = (await floor.row())["cv"]
        for ear in ears.values():
            await ear.hears_up_to(cv)

    traces = [SPOKEN, made.message["id"], made.reply["id"], made.poll["id"], made.upload, "shadow"]
    for reader in (floor.dan, floor.bob):
        page = (await away[reader.id].catch_up())[0]
        read = json.dumps(page) + await made.everything(reader)
        assert [trace for trace in traces if trace in read] == []
        # A hole would be one by which to tell.
        assert away[reader.id].seen[floor.id] == cv
    heard = json.dumps([ears["dan"].heard, ears["ann"].heard])
    assert [trace for trace in traces if trace in heard] == []

    thread = await floor.eve.call("GET", f"{floor.path}/messages/{floor.first['id']}/thread")
    assert [one["id"] for one in thread.json()["replies"]] == [made.reply["id"]]
    own = await made.everything(floor.eve)
    assert "shadow" not in own
    assert [trace for trace in traces[:-1] if trace not in own] == []
    told = [(event["type"], event["data"]) for event in ears["eve"].events() if event.get("channelid")]
    assert [kind for kind, _ in told] == [
        "message.new",
        "message.new",
        "poll.created",
        "message.updated",
        "reaction.added",
        "poll.voted",
        "message.pinned",
    ]
    assert told[0][1]["id"] == made.message["id"]
    assert "shadow" not in json.dumps(ears["eve"].heard)
    await away["eve"].catch_up()
    assert away["eve"].messages[made.message["id"]]["text"] == f"more {SPOKEN}"
    assert away["eve"].messages[made.message["id"]]["ownReactions"] == ["👍"]


async def test_nobody_else_does_anything_with_it(floor: Floor) -> None:
    made = await shadowed(floor)
    path = f"{floor.path}/messages/{made.message['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("PATCH", path, {"text": "mine"}),
        ("DELETE", path, None),
        ("DELETE", f"{path}/purge", None),
        ("POST", f"{path}/reactions", {"type": "👍"}),
        ("POST", f"{path}/pin", None),
        ("POST", f"{path}/save", {}),
        ("POST", f"{path}/report", {"reason": "spam"}),
        ("POST", f"/api/moderation/{made.message['id']}/report", {"reason": "spam"}),
        ("POST", f"/api/polls/{made.poll['id']}/vote", {"optionIds": ["1"]}),
        ("POST", f"{floor.path}/read", {"messageId": made.message["id"]}),
    ]
    for method, road, body in calls:
        for who in (floor.dan, floor.bob):
            answer = await who.call(method, road, body)
            assert answer.status_code == 404, (road, answer.text)
    for field in ("parentId", "replyToId"):
        answer = await floor.send(floor.dan, "to it", **{field: made.message["id"]})
        assert (answer.status_code, error_code(answer)) == (422, "invalid_input"), answer.text


async def test_it_stands_where_it_was_said_in_the_timeline_of_its_author(floor: Floor) -> None:
    await floor.ban(floor.bob, shadow=True)
    hers = [await floor.sent(floor.eve, f"hers {number}") for number in range(2)]
    others = [await floor.sent(floor.dan, f"other {number}") for number in range(3)]
    hers.append(await floor.sent(floor.eve, "hers again"))

    def texts(page: dict[str, Any]) -> list[str]:
        return [message["text"] for message in page["messages"]]

    async def pages(who: Caller, query: str) -> list[str]:
        page = (await who.call("GET", f"{floor.path}/messages?limit=2&{query}")).json()
        found = [texts(page)]
        while page["hasMore"]:
            path = f"{floor.path}/messages?limit=2&cursor={page['nextCursor']}"
            page = (await who.call("GET", path)).json()
            found.append(texts(page))
        return [text for one in (found if "since" in query else found[::-1]) for text in one]

    everything = ["welcome", "hers 0", "hers 1", "other 0", "other 1", "other 2", "hers again"]
    assert await pages(floor.eve, "since_seq=0") == everything
    assert await pages(floor.eve, "") == everything
    assert await pages(floor.dan, "") == [text for text in everything if "hers" not in text]
    behind = await floor.eve.call("GET", f"{floor.path}/messages?after={others[2]['id']}")
    assert texts(behind.json()) == ["hers again"]
    before = await floor.eve.call("GET", f"{floor.path}/messages?before={hers[2]['id']}&limit=1")
    assert texts(before.json()) == ["other 2", "hers again"]
    [listed] = (await floor.eve.call("GET", "/api/channels")).json()["channels"]
    assert listed["lastMessage"]["text"] == "hers again"
    # What one sends is read, and what stands before it.
    assert [others[2]["seq"], listed["lastReadSeq"], listed["unreadCount"]] == [4, 4, 0]
    read = await floor.eve.call("POST", f"{floor.path}/read", {"messageId": hers[2]["id"]})
    assert (read.json()["lastReadSeq"], read.json()["unreadCount"]) == (4, 0)


async def test_what_others_would_see_of_it_is_kept_from_them_and_she_is_not_told(floor: Floor) -> None:
    said = await floor.sent(floor.eve, "before the ban")
    poll = await floor.dan.call(
        "POST", f"{floor.path}/polls", {"question": "?", "options": [{"text": "yes"}, {"text": "no"}]}
    )
    await floor.ban(floor.bob, shadow=True)
    before = await floor.row()
    typing = await floor.eve.call("POST", f"{floor.path}/typing", {"typing": True})
    assert (typing.status_code, typing.json()["typing"]) == (200, False)

    first = f"{floor.path}/messages/{floor.first['id']}/reactions"
    reacted = await floor.eve.call("POST", first, {"type": "👍"})
    assert (reacted.status_code, reacted.json()["counts"]) == (201, {"👍": 1})
    taken = await floor.eve.call("DELETE", f"{first}/👍")
    assert (taken.status_code, taken.json()["counts"]) == (200, {})
    vote = await floor.eve.call("POST", f"/api/polls/{poll.json()['id']}/vote", {"optionIds": ["1"]})
    assert (vote.json()["totalVotes"], vote.json()["ownOptionIds"]) == (1, ["1"])
    mine = f"{floor.path}/messages/{said['id']}"
    edited = await floor.eve.call("PATCH", mine, {"text": "after it"})
    asked = await floor.eve.call(
        "POST", f"{mine}/polls", {"question": SPOKEN, "options": [{"text": "yes"}, {"text": "no"}]}
    )
    assert [error_code(edited), error_code(asked)] == ["not_editable", "not_editable"]

    assert await floor.row() == before
    assert (await floor.dan.call("GET", f"/api/polls/{poll.json()['id']}")).json()["totalVotes"] == 0
    # What was everybody's before may go.
    assert (await floor.eve.call("DELETE", mine)).status_code == 200


async def test_the_apps_server_sees_it_and_a_thread_that_nobody_sees_stays_one(floor: Floor) -> None:
    made = await shadowed(floor)
    seen = await floor.tenant.server("GET", f"{floor.path}/messages/{made.message['id']}")
    assert (seen.status_code, seen.json()["text"]) == (200, SPOKEN)
    lifted = await floor.tenant.server("DELETE", "/api/moderation/bans/eve")
    assert lifted.status_code == 200, lifted.text

    reply = await floor.sent(floor.eve, "to myself", parentId=made.message["id"])
    assert reply["threadSeq"] is None
    assert (await floor.dan.call("GET", f"{floor.path}/messages/{reply['id']}")).status_code == 404
    quoting = await floor.sent(floor.eve, "as I said", replyToId=made.message["id"])
    assert quoting["seq"] == 2
    for who, quoted in ((floor.dan, None), (floor.eve, SPOKEN)):
        listed = (await who.call("GET", f"{floor.path}/messages?since_seq=1&limit=1")).json()
        [found] = [one for one in listed["messages"] if one["id"] == quoting["id"]]
        assert (found["quoted"] or {}).get("text") == quoted


async def test_deleting_it_and_truncating_hard_leave_nothing_of_the_words(floor: Floor) -> None:
    made = await shadowed(floor)
    deleted = await floor.eve.call("DELETE", f"{floor.path}/messages/{made.reply['id']}")
    assert deleted.status_code == 200
    assert (await floor.dan.call("GET", f"{floor.path}/messages/{made.reply['id']}")).status_code == 404
    await floor.sent(floor.dan, "later")

    await floor.ann.call("POST", f"{floor.path}/truncate", {"hard": True})
    sweep = Sweep(floor.tenant.chat.resources.pool, epoch=1, wake_relay=lambda: None)
    while await sweep.step():
        pass

    left = await floor.tenant.chat.sql(
        """
        select (select count(*) from message where channel_id = $1::text::uuid and position($2 in text) > 0)
          + (select count(*) from poll where channel_id = $1::text::uuid)
          + (select count(*) from event where channel_id = $1::text::uuid
             and position($2 in convert_from(body, 'utf8')) > 0) as count
        """,
        floor.id,
        SPOKEN,
    )
    assert left[0]["count"] == 0
    assert SPOKEN not in (await floor.eve.call("GET", f"{floor.path}/messages")).text
