"""The doors of typing and presence: who may say what, and who sees whom."""

from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry

from chat_service.instruments import PresenceInstruments
from chat_service.presence.actions import times_of
from chat_service.presence.reaping import Reaper
from chatsdk_contracts.ids import ChannelId, UserId
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems


async def shown(caller: Caller | Tenant, *user_ids: str) -> dict[str, str]:
    """How these users are, as far as the caller sees them."""
    call = caller.server if isinstance(caller, Tenant) else caller.call
    answer = await call("POST", "/api/presence/query", {"userIds": list(user_ids)})
    assert answer.status_code == 200, answer.text
    return {user: one["status"] for user, one in answer.json()["presence"].items()}


async def show_due(chat: Chat) -> None:
    """What the loop does."""
    resources = chat.resources
    instruments = PresenceInstruments(CollectorRegistry())
    await Reaper(resources.pool, resources.presence, times_of(resources.settings), instruments).show_due()


async def test_typing_is_for_members_where_it_is_told(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    room = (await ann.channel(type="group", memberIds=["bob"]))["id"]
    hidden = (await ann.channel(type="private", memberIds=["bob"]))["id"]
    stream = (await ann.channel(type="livestream"))["id"]

    async def say(who: Caller, channel_id: str) -> tuple[int, Any]:
        answer = await who.call("POST", f"/api/channels/{channel_id}/typing", {"typing": True})
        return answer.status_code, answer.json()

    status, state = await say(bob, room)
    assert (status, state["typing"], state["userId"], state["channelId"]) == (200, True, "bob", room)
    assert state["expiresAt"] is not None
    stopped = await bob.call("POST", f"/api/channels/{room}/typing", {"typing": False})
    assert stopped.json()["expiresAt"] is None
    assert [code for _, body in [await say(eve, room)] for code in [body["error"]["code"]]] == [
        "not_a_member"
    ]
    assert (await say(eve, hidden))[0] == 404
    status, refused = await say(ann, stream)
    assert (status, refused["error"]["code"]) == (403, "typing_off")
    assert "config.typingEvents=true" in refused["error"]["hint"]
    await ann.call("PATCH", f"/api/channels/{room}", {"frozen": True})
    assert (await say(eve, room))[1]["error"]["code"] == "not_a_member"
    assert (await say(bob, room))[1]["error"]["code"] == "channel_frozen"

    def is_typing() -> bool:
        sign = tenant.chat.resources.typists.sign(ChannelId(hidden), UserId("bob"))
        return sign is not None and sign.is_typing

    await bob.call("POST", f"/api/channels/{hidden}/typing", {"typing": True})
    assert is_typing()
    await bob.call("POST", f"/api/channels/{hidden}/messages", {"text": "said"})
    assert not is_typing(), "a message ends it"

    nobody = await tenant.server("POST", f"/api/channels/{hidden}/typing", {"typing": True})
    assert problems(nobody) == {"userId": "missing"}
    robot = await tenant.server("POST", f"/api/channels/{hidden}/typing", {"typing": True, "userId": "ann"})
    assert robot.json()["typing"] is True


async def test_who_is_blocked_in_a_direct_channel_is_told_to_nobody_and_not_told_so(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    direct = (await ann.channel(memberIds=["bob"]))["id"]
    await bob.call("POST", "/api/users/ann/block")

    answer = await ann.call("POST", f"/api/channels/{direct}/typing", {"typing": True})

    assert (answer.status_code, answer.json()["typing"]) == (200, False)
    assert await shown(ann, "bob") == await shown(bob, "ann") == {}


async def test_only_who_shares_a_channel_is_seen_and_servers_see_all(chat: Chat, tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    room = (await ann.channel(type="public", memberIds=["bob"]))["id"]
    assert (await bob.call("POST", "/api/presence/heartbeat")).json() == {"success": True}

    assert await shown(ann, "bob", "eve", "nobody") == {"bob": "online"}
    assert await shown(eve, "ann", "bob", "eve") == {"eve": "offline"}
    assert await shown(tenant, "ann", "bob", "eve", "nobody") == {
        "ann": "offline",
        "bob": "online",
        "eve": "offline",
    }
    stranger = await chat.new_tenant("other")
    assert await shown(stranger, "bob") == {}

    members = (await ann.call("GET", f"/api/channels/{room}/presence")).json()
    assert [one["userId"] for one in members["online"]] == ["bob"]
    assert [one["userId"] for one in members["offline"]] == ["ann"]
    assert (members["totalOnline"], members["totalMembers"]) == (1, 2)
    outside = await eve.call("GET", f"/api/channels/{room}/presence")
    assert (outside.status_code, error_code(outside)) == (403, "not_a_member")

    for user_ids in ([], ["x"] * 101):
        refused = await ann.call("POST", "/api/presence/query", {"userIds": user_ids})
        assert (refused.status_code, list(problems(refused))) == (422, ["userIds"])


async def test_heartbeats_keep_a_user_there_until_they_stop_and_are_not_all_written(
    chat: Chat, tenant: Tenant
) -> None:
    [ann] = await tenant.users("ann")

    async def written() -> Any:
        [row] = await chat.sql(
            "select xmin::text, last_seen_at from user_presence where app_id = $1", UUID(tenant.id)
        )
        return tuple(row)

    await ann.call("POST", "/api/presence/heartbeat")
    first = await written()
    for _ in range(3):
        await ann.call("POST", "/api/presence/heartbeat")
    assert await written() == first
    await show_due(chat)
    assert await shown(tenant, "ann") == {"ann": "online"}

    await chat.sql(
        "update user_presence set heartbeat_until = now(), due_at = now() where app_id = $1", UUID(tenant.id)
    )
    await show_due(chat)
    assert await shown(tenant, "ann") == {"ann": "offline"}


async def test_what_a_user_chooses_is_what_others_see(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    await ann.channel(type="group", memberIds=["bob"])

    async def choose(status: str) -> tuple[str, str]:
        answer = await ann.call("PUT", "/api/presence", {"status": status})
        assert answer.status_code == 200, answer.text
        [seen] = (await shown(bob, "ann")).values()
        return answer.json()["chosen"], seen

    assert [await choose(one) for one in ("online", "away", "invisible", "online", "offline")] == [
        ("online", "online"),
        ("away", "away"),
        ("invisible", "offline"),
        ("online", "online"),
        ("offline", "offline"),
    ]
    await ann.call("POST", "/api/presence/heartbeat")
    assert await shown(bob, "ann") == {"ann": "online"}, "a sign of life"
    await ann.call("PUT", "/api/presence", {"status": "invisible"})
    await ann.call("POST", "/api/presence/heartbeat")
    assert await shown(bob, "ann") == {"ann": "offline"}, "a sign of life that nobody sees"
    assert (await ann.call("GET", "/api/presence")).json()["chosen"] == "invisible"
    await ann.call("POST", "/api/presence/online")
    assert await shown(bob, "ann") == {"ann": "online"}
    await ann.call("POST", "/api/presence/offline")
    assert await shown(bob, "ann") == {"ann": "offline"}

    refused = await ann.call("PUT", "/api/presence", {"status": "busy"})
    assert (refused.status_code, list(problems(refused))) == (422, ["status"])
