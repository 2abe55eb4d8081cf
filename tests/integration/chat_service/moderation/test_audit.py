"""The audit log: every change that moderates or manages leaves who did it, and nothing of what was said."""

from tests.integration.chat_service.calling import ADMIN
from tests.integration.chat_service.moderation.floor import SPOKEN, Floor


async def test_who_did_what_to_whom_is_noted_with_the_call_that_did_it(floor: Floor) -> None:
    server = floor.tenant.server
    [own] = (await server("GET", "/api/app/keys")).json()["keys"]
    key = (await server("POST", "/api/app/keys", {"scopes": ["chat:read"]})).json()
    await server("DELETE", f"/api/app/keys/{key['id']}")
    await server("DELETE", f"/api/app/keys/{key['id']}")
    given = await floor.tenant.chat.call(
        "POST", f"/admin/apps/{floor.tenant.id}/keys", {"name": "op"}, headers=ADMIN
    )
    await server("PATCH", "/api/app/settings", {"userDirectory": "all"})
    await server("PATCH", "/api/app/settings", {"userDirectory": "all"})
    said = await floor.sent(floor.eve)
    await floor.bob.call("DELETE", f"{floor.path}/messages/{said['id']}/purge", X_Request_Id="req-of-bob-1")
    await floor.ban(floor.bob, durationS=60, reason="of all things")
    await floor.bob.call("DELETE", f"{floor.path}/bans/eve")
    await floor.ann.call("POST", f"{floor.path}/truncate", {"hard": True})

    page = (await server("GET", "/api/audit?limit=3")).json()
    entries = [*page["entries"]]
    while page["hasMore"]:
        page = (await server("GET", f"/api/audit?limit=3&cursor={page['nextCursor']}")).json()
        entries += page["entries"]
    told = [
        (one["action"], one["actorKind"], one["actorId"], one["keyId"], one["targetId"])
        for one in entries[::-1]
    ]
    assert told == [
        ("key.created", "server", None, own["id"], key["id"]),
        ("key.revoked", "server", None, own["id"], key["id"]),
        ("key.created", "operator", None, None, given.json()["id"]),
        ("settings.changed", "server", None, own["id"], floor.tenant.id),
        ("message.purged", "user", "bob", None, said["id"]),
        ("user.banned", "user", "bob", None, "eve"),
        ("user.unbanned", "user", "bob", None, "eve"),
        ("channel.truncated", "user", "ann", None, floor.id),
    ]
    assert entries[3]["requestId"] == "req-of-bob-1"
    assert entries[3]["channelId"] == floor.id
    assert entries[2]["details"] == {"shadow": False, "durationS": 60}
    assert SPOKEN not in str(entries)
    assert "of all things" not in str(entries)


async def test_decisions_on_held_messages_are_noted_once_with_who_decided(floor: Floor) -> None:
    server = floor.tenant.server
    await server("POST", "/api/moderation/word-list/entries", {"phrase": "words", "action": "hold"})
    sent, never, queued = [await floor.sent(floor.eve) for _ in range(3)]
    for _ in range(2):
        await floor.bob.call("POST", f"{floor.path}/messages/{sent['id']}/approve", {})
        await floor.ann.call("POST", f"{floor.path}/messages/{never['id']}/reject", {})
    await floor.bob.call("POST", f"{floor.path}/messages/{never['id']}/approve", {})
    await server("POST", f"/api/moderation/held/{queued['id']}/reject", {})

    entries = (await server("GET", f"/api/audit?channelId={floor.id}")).json()["entries"][::-1]

    assert [(one["action"], one["actorKind"], one["actorId"], one["targetId"]) for one in entries] == [
        ("message.approved", "user", "bob", sent["id"]),
        ("message.rejected", "user", "ann", never["id"]),
        ("message.rejected", "server", None, queued["id"]),
    ]
    assert [one["details"] for one in entries] == [{"authorId": "eve"}] * 3
    assert SPOKEN not in str(entries)


async def test_what_decides_on_messages_and_their_keeping_is_noted_when_it_changes(floor: Floor) -> None:
    server, words, hook = floor.tenant.server, "/api/moderation/word-list", "/api/moderation/hook"
    terms = {"phrase": SPOKEN, "action": "hold"}
    entry = (await server("POST", f"{words}/entries", terms)).json()
    await server("POST", f"{words}/entries", terms)
    await server("PATCH", f"{words}/entries/{entry['id']}", {"action": "mask"})
    await server("DELETE", f"{words}/entries/{entry['id']}")
    await server("PUT", words, {"entries": [terms]})
    made = await server("PUT", hook, {"url": "https://hook.example.com/of-eve"})
    await server("POST", f"{hook}/rotate-secret", {"overlapS": 60})
    await server("DELETE", hook)
    await server("DELETE", hook)
    held = {"userId": "eve", "reason": SPOKEN}
    hold = (await server("POST", "/api/legal-holds", held)).json()
    await server("POST", "/api/legal-holds", held)
    for _ in range(2):
        await server("DELETE", f"/api/legal-holds/{hold['id']}")

    entries = (await server("GET", "/api/audit")).json()["entries"][::-1]

    app = floor.tenant.id
    assert [(one["action"], one["targetKind"], one["targetId"], one["details"]) for one in entries] == [
        ("word_list.changed", "app", app, {"change": "added", "entryId": entry["id"], "action": "hold"}),
        ("word_list.changed", "app", app, {"change": "changed", "entryId": entry["id"], "action": "mask"}),
        ("word_list.changed", "app", app, {"change": "removed", "entryId": entry["id"], "action": "mask"}),
        ("word_list.changed", "app", app, {"change": "replaced", "entries": 1}),
        (
            "hook.changed",
            "app",
            app,
            {"enabled": True, "onFailure": "open", "timeoutMs": made.json()["timeoutMs"]},
        ),
        ("hook.secret_rotated", "app", app, {"overlapS": 60}),
        ("hook.removed", "app", app, {}),
        ("hold.placed", "user", "eve", {"holdId": hold["id"]}),
        ("hold.released", "user", "eve", {"holdId": hold["id"]}),
    ]
    assert {one["actorKind"] for one in entries} == {"server"}
    for secret in (SPOKEN, "hook.example.com", made.json()["secret"]):
        assert secret not in str(entries)


async def test_what_is_refused_is_not_noted(floor: Floor) -> None:
    said = await floor.sent(floor.ann)
    await floor.eve.call("DELETE", f"{floor.path}/messages/{said['id']}/purge")
    await floor.eve.call("POST", f"{floor.path}/bans", {"userId": "dan"})
    await floor.tenant.server("DELETE", "/api/moderation/bans/dan")
    assert (await floor.tenant.server("GET", "/api/audit")).json()["entries"] == []


async def test_entries_are_found_by_who_and_what(floor: Floor) -> None:
    server = floor.tenant.server
    said = await floor.sent(floor.eve)
    await floor.bob.call("DELETE", f"{floor.path}/messages/{said['id']}/purge")
    await floor.ban(floor.bob)
    await floor.bob.call("DELETE", f"{floor.path}/bans/eve")
    await floor.ann.call("POST", f"{floor.path}/truncate", {})
    for query, number in [
        ("actorId=bob", 3),
        ("targetId=eve", 2),
        (f"channelId={floor.id}", 4),
        ("action=user.banned", 1),
        ("action=user.banned&actorId=ann", 0),
    ]:
        assert len((await server("GET", f"/api/audit?{query}")).json()["entries"]) == number, query
    assert (await server("GET", "/api/audit?action=user.loved")).status_code == 422
    assert (await server("GET", "/api/audit?cursor=x")).status_code == 400
