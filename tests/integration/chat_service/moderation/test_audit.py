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
