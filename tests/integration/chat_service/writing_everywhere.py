"""A user who writes a word into everything that a user can write."""

from typing import Any

from chatsdk_contracts.ids import new_id
from tests.integration.chat_service.calling import Caller, Tenant
from tests.integration.chat_service.uploading import PDF, File, uploaded

WORD = "zwiebelkuchen"
CUSTOM = {"note": WORD, "deep": [{WORD: WORD}]}
IMAGE = f"https://x/{WORD}.png"


async def ok(
    caller: Caller | Tenant, method: str, path: str, body: Any = None, **headers: str
) -> dict[str, Any]:
    """A call that must succeed."""
    call = caller.server if isinstance(caller, Tenant) else caller.call
    response = await call(method, path, body, **headers)
    assert response.status_code < 300, (method, path, response.text)
    made: dict[str, Any] = response.json()
    return made


async def write_everywhere(tenant: Tenant, user: Caller, other: Caller) -> dict[str, str]:
    """The word in everything; returns the ids of what the user wrote and of what others have beside it."""
    await _write_profile(tenant, user, other)
    shared = await _write_places(user, other)
    files = [
        await uploaded(user, File(PDF + WORD.encode(), name=f"{WORD}.pdf")),
        await uploaded(user, File(PDF, name=f"{WORD}-2.pdf", fields={"channelId": shared})),
    ]
    sent = await _write_messages(user, other, shared, files[0])
    theirs = await _write_to_others(user, other, shared, sent)
    poll = await _write_polls(user, other, shared)
    paths = await tenant.chat.sql("select content_path from upload where app_id = $1::uuid", tenant.id)
    return {
        "channel": shared,
        "sent": sent,
        "theirs": theirs,
        "poll": poll,
        "files": " ".join(file["id"] for file in files),
        "objects": " ".join(row["content_path"] for row in paths),
    }


async def _write_profile(tenant: Tenant, user: Caller, other: Caller) -> None:
    profile = {"name": WORD, "image": IMAGE, "custom": CUSTOM}
    await ok(user, "PATCH", "/api/users/me", profile, Idempotency_Key=f"i-{WORD}")
    await ok(tenant, "PATCH", f"/api/users/{user.id}", {"email": f"{WORD}@example.com"})
    await ok(other, "POST", f"/api/users/{user.id}/block")
    await ok(user, "POST", f"/api/users/{other.id}/block")


async def _write_places(user: Caller, other: Caller) -> str:
    """Channels and a workspace of the user's own, and one that is shared."""
    shared = await other.channel(type="group", name="shared", memberIds=[user.id])
    named = {"type": "group", "name": WORD, "description": WORD, "image": IMAGE, "custom": CUSTOM}
    await user.channel(**named)
    gone = await user.channel(**named, memberIds=[other.id])
    await ok(user, "DELETE", f"/api/channels/{gone['id']}")
    space = await ok(user, "POST", "/api/workspaces", {"name": WORD, "image": IMAGE, "config": CUSTOM})
    invites = {"emails": [f"{WORD}.friend@example.com"], "message": WORD}
    await ok(user, "POST", f"/api/workspaces/{space['id']}/invites", invites)
    made: str = shared["id"]
    return made


async def _write_together(user: Caller, other: Caller, messages: str) -> None:
    """Texts that both write, and what the user's client calls that."""
    for mode, word in (("ot", [{"insert": WORD}]), ("crdt", ["AQEJAAQBBHRleHQNendpZWJlbGt1Y2hlbgA="])):
        own = await ok(user, "POST", messages, {"text": "", "textMode": mode})
        op = {"clientOpId": f"o-{WORD}", "baseVersion": 1, "ops": word}
        await ok(user, "POST", f"{messages}/{own['id']}/ops", op)
    theirs = await ok(other, "POST", messages, {"text": "ours", "textMode": "ot"})
    op = {"clientOpId": f"o-{WORD}", "baseVersion": 1, "ops": [{"insert": "and "}]}
    await ok(user, "POST", f"{messages}/{theirs['id']}/ops", op)


async def _write_messages(user: Caller, other: Caller, shared: str, file: dict[str, Any]) -> str:
    """Messages with all that belongs to them; returns the first one's id."""
    messages = f"/api/channels/{shared}/messages"
    attachments = [
        {"type": "file", "uploadId": file["id"], "url": file["url"], "title": WORD, "custom": CUSTOM},
        {"type": "image", "url": IMAGE, "name": WORD},
    ]
    body = {"text": f"{WORD} one", "clientMsgId": f"c-{WORD}", "custom": CUSTOM, "attachments": attachments}
    sent: str = (await ok(user, "POST", messages, body))["id"]
    await ok(user, "PATCH", f"{messages}/{sent}", {"text": f"{WORD} two"})
    await ok(other, "POST", f"{messages}/{sent}/pin")
    await _write_together(user, other, messages)
    await ok(user, "POST", f"{messages}/{sent}/reactions", {"type": f":{WORD}-own:"})
    await ok(other, "POST", f"{messages}/{sent}/reactions", {"type": "👍"})
    await ok(other, "POST", f"{messages}/{sent}/save")
    deleted = await ok(user, "POST", messages, {"text": WORD, "clientMsgId": f"d-{WORD}"})
    await ok(user, "DELETE", f"{messages}/{deleted['id']}")
    # Called as erased messages are.
    made = new_id()
    sly = {"id": made, "text": WORD, "clientMsgId": f"erased-{made}"}
    ops = [
        {"kind": "message.send", "opId": new_id(), "laneSeq": 1, "message": sly},
        {"kind": "message.delete", "opId": new_id(), "laneSeq": 2, "messageId": new_id()},
    ]
    pushed = await ok(user, "POST", "/api/sync/ops", {"clientId": WORD, "channelId": shared, "ops": ops})
    assert len(pushed["results"]) == 2
    return sent


async def _write_to_others(user: Caller, other: Caller, shared: str, sent: str) -> str:
    """What the user writes at a message of somebody else; returns that one's id."""
    messages = f"/api/channels/{shared}/messages"
    theirs: str = (await ok(other, "POST", messages, {"text": "mine", "replyToId": sent}))["id"]
    await ok(user, "POST", messages, {"text": WORD, "parentId": theirs})
    await ok(user, "POST", f"{messages}/{theirs}/reactions", {"type": f":{WORD}:"})
    await ok(other, "POST", f"{messages}/{theirs}/reactions", {"type": "👍"})
    await ok(other, "PATCH", f"{messages}/{theirs}", {"text": "mine, edited"})
    await ok(user, "POST", f"{messages}/{theirs}/save")
    return theirs


async def _write_polls(user: Caller, other: Caller, shared: str) -> str:
    """A poll of the user, in which others vote, and one of somebody else, whose id is returned."""
    polls = f"/api/channels/{shared}/polls"
    options = [{"id": f"{WORD}-1", "text": WORD}, {"id": "no", "text": WORD}]
    own = await ok(user, "POST", polls, {"question": WORD, "options": options})
    await ok(other, "POST", f"/api/polls/{own['id']}/vote", {"optionIds": [f"{WORD}-1"]})
    plain = [{"id": "y", "text": "y"}, {"id": "n", "text": "n"}]
    poll: str = (await ok(other, "POST", polls, {"question": "?", "options": plain}))["id"]
    await ok(user, "POST", f"/api/polls/{poll}/vote", {"optionIds": ["y"]})
    return poll
