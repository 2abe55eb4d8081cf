"""Erasing a user: a word in everything that a user can write, and then nowhere; killed and taken up again."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from chat_service.erasure import work
from chat_service.jobs import store as jobs
from chat_service.jobs.store import LeaseLost
from tests.integration.chat_service.calling import Caller, Tenant, error_code
from tests.integration.chat_service.erasing import bench_of, do_jobs, erased, found_in
from tests.integration.chat_service.uploading import PDF, File, uploaded

WORD = "zwiebelkuchen"


async def ok(caller: Caller | Tenant, method: str, path: str, body: Any = None) -> dict[str, Any]:
    call = caller.server if isinstance(caller, Tenant) else caller.call
    response = await call(method, path, body)
    assert response.status_code < 300, (method, path, response.text)
    made: dict[str, Any] = response.json()
    return made


async def write_everywhere(tenant: Tenant, user: Caller, other: Caller) -> dict[str, str]:
    """The word in everything that a user can write; returns ids of what others have beside it."""
    custom = {"note": WORD, "deep": [{WORD: WORD}]}
    await ok(user, "PATCH", "/api/users/me", {"name": WORD, "image": f"https://x/{WORD}", "custom": custom})
    await ok(tenant, "PATCH", f"/api/users/{user.id}", {"email": f"{WORD}@example.com"})
    shared = await other.channel(type="group", name="shared", memberIds=[user.id])
    messages = f"/api/channels/{shared['id']}/messages"
    await user.channel(type="group", name=WORD, description=WORD, image=f"https://x/{WORD}", custom=custom)
    gone = await user.channel(type="group", name=WORD, description=WORD, memberIds=[other.id])
    await ok(user, "DELETE", f"/api/channels/{gone['id']}")
    file = await uploaded(user, File(PDF + WORD.encode(), name=f"{WORD}.pdf"))
    loose = await uploaded(user, File(PDF, name=f"{WORD}-2.pdf", fields={"channelId": shared["id"]}))
    sent = await ok(
        user,
        "POST",
        messages,
        {
            "text": f"{WORD} one",
            "clientMsgId": f"c-{WORD}",
            "custom": custom,
            "attachments": [
                {"type": "file", "uploadId": file["id"], "url": file["url"], "title": WORD, "custom": custom},
                {"type": "image", "url": f"https://x/{WORD}.png", "name": WORD},
            ],
        },
    )
    await ok(user, "PATCH", f"{messages}/{sent['id']}", {"text": f"{WORD} two"})
    await ok(other, "POST", f"{messages}/{sent['id']}/pin")
    await ok(other, "POST", f"{messages}/{sent['id']}/reactions", {"type": "👍"})
    await ok(other, "POST", f"{messages}/{sent['id']}/save")
    deleted = await ok(user, "POST", messages, {"text": WORD, "clientMsgId": f"d-{WORD}"})
    await ok(user, "DELETE", f"{messages}/{deleted['id']}")
    theirs = await ok(other, "POST", messages, {"text": "mine", "replyToId": sent["id"]})
    await ok(user, "POST", messages, {"text": WORD, "parentId": theirs["id"]})
    await ok(user, "POST", f"{messages}/{theirs['id']}/reactions", {"type": f":{WORD}:"})
    await ok(other, "POST", f"{messages}/{theirs['id']}/reactions", {"type": "👍"})
    await ok(other, "PATCH", f"{messages}/{theirs['id']}", {"text": "mine, edited"})
    await ok(user, "POST", f"{messages}/{theirs['id']}/save")
    options = [{"id": f"{WORD}-1", "text": WORD}, {"id": "no", "text": WORD}]
    polled = await ok(
        user, "POST", f"/api/channels/{shared['id']}/polls", {"question": WORD, "options": options}
    )
    await ok(other, "POST", f"/api/polls/{polled['id']}/vote", {"optionIds": [f"{WORD}-1"]})
    poll = await ok(
        other,
        "POST",
        f"/api/channels/{shared['id']}/polls",
        {"question": "?", "options": [{"id": "y", "text": "y"}, {"id": "n", "text": "n"}]},
    )
    await ok(user, "POST", f"/api/polls/{poll['id']}/vote", {"optionIds": ["y"]})
    await ok(other, "POST", f"/api/users/{user.id}/block")
    await ok(user, "POST", f"/api/users/{other.id}/block")
    space = await ok(
        user, "POST", "/api/workspaces", {"name": WORD, "image": f"https://x/{WORD}", "config": custom}
    )
    await ok(
        user,
        "POST",
        f"/api/workspaces/{space['id']}/invites",
        {"emails": [f"{WORD}.friend@example.com"], "message": WORD},
    )
    return {
        "channel": shared["id"],
        "sent": sent["id"],
        "theirs": theirs["id"],
        "poll": poll["id"],
        "files": f"{file['id']} {loose['id']}",
    }


async def test_a_word_in_everything_that_a_user_wrote_is_nowhere_afterwards(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    ids = await write_everywhere(tenant, ann, bob)
    assert len(await found_in(tenant.chat, WORD)) >= 10
    last = (await bob.call("GET", "/api/sync")).json()["cursor"]

    erasure = await erased(tenant, "ann")

    for r in await tenant.chat.sql("select body from event"):
        if WORD.encode() in r["body"]:
            raise AssertionError(r["body"])
    assert await found_in(tenant.chat, WORD) == []
    for name in (
        "profile",
        "invites",
        "messages",
        "reactions",
        "votes",
        "memberships",
        "uploads",
        "saved",
        "blocks",
        "events",
    ):
        assert erasure["counts"][name] > 0, name
    for file in ids["files"].split():
        assert (await bob.call("GET", f"/api/uploads/{file}")).status_code == 404
    assert await objects_of(tenant) == []
    path = f"/api/channels/{ids['channel']}"
    mine = (await bob.call("GET", f"{path}/messages/{ids['theirs']}")).json()
    assert (mine["text"], mine["reactionCounts"]) == ("mine, edited", {"👍": 1})
    told = (await bob.call("GET", f"{path}/messages/{ids['sent']}")).json()
    assert (told["type"], told["text"], told["userId"], told["pinned"]) == ("deleted", "", "ann", False)
    poll = (await bob.call("GET", f"/api/polls/{ids['poll']}")).json()
    assert (poll["totalVotes"], [option["voteCount"] for option in poll["options"]]) == (0, [0, 0])
    members = (await bob.call("GET", f"{path}/members")).json()["members"]
    assert [member["userId"] for member in members] == ["bob"]
    del last


async def objects_of(tenant: Tenant) -> list[str]:
    rows = await tenant.chat.sql("select id from upload where app_id = $1::uuid", tenant.id)
    return [str(row["id"]) for row in rows]
