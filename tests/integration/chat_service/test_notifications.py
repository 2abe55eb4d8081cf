"""Unread messages of which an app is told: whom, of what, how often, and of what not."""

from typing import Any

import orjson
import pytest

from chat_service.apps.settings_model import NotifyAfter
from chat_service.notifications.rules import Wish
from chat_service.notifications.telling import NotificationTeller
from chatsdk_contracts.ids import AppId
from tests.integration.chat_service.calling import Caller, Chat, Tenant


class Notified:
    """An app that wants to be told, and what it was told."""

    def __init__(self, tenant: Tenant, *, largest: int = 1_000) -> None:
        self._tenant = tenant
        self._teller = NotificationTeller(
            tenant.chat.resources.pool, epoch=1, interval_s=0, largest=largest, wake_relay=lambda: None
        )
        self._seen = 0

    async def look(self, *, after_s: int = 10, **after: int) -> list[tuple[str, str, str]]:
        """Let so many seconds pass since all that was said, and look: (user, kind, message) of what is new."""
        await self._tenant.chat.sql(
            "update message set created_at = created_at - make_interval(secs => $1::int) where app_id = $2::text::uuid",
            after_s,
            self._tenant.id,
        )
        await self._teller.tell(Wish(AppId(self._tenant.id), NotifyAfter(**(after or {"unread_s": 10}))))
        rows = await self._tenant.chat.sql(
            "select body from event where app_id = $1::text::uuid and type = 'notification.due' order by id",
            self._tenant.id,
        )
        told = [orjson.loads(row["body"])["data"] for row in rows[self._seen :]]
        self._seen = len(rows)
        return sorted((one["userId"], one["kind"], one["messageId"]) for one in told)


@pytest.fixture
async def room(tenant: Tenant) -> tuple[Caller, Caller, str]:
    ann, bob, _ = await tenant.users("ann", "bob", "cleo")
    return ann, bob, (await ann.channel(type="group", memberIds=["bob", "cleo"]))["id"]


async def say(user: Caller, channel: str, text: str = "hello", **fields: Any) -> str:
    response = await user.call("POST", f"/api/channels/{channel}/messages", {"text": text, **fields})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def test_an_app_is_told_once_of_what_a_user_has_not_read(
    tenant: Tenant, room: tuple[Caller, Caller, str]
) -> None:
    ann, bob, channel = room
    notified = Notified(tenant)
    assert await notified.look() == []
    first = await say(ann, channel)
    await say(ann, channel, "and more")

    assert await notified.look(after_s=5) == [], "not due yet"
    assert await notified.look(after_s=6) == [("bob", "message", first), ("cleo", "message", first)]
    await say(ann, channel, "still more")
    assert await notified.look() == [], "once for each place where they stopped"

    await bob.call("POST", f"/api/channels/{channel}/read")
    later = await say(ann, channel, "again")
    assert await notified.look() == [("bob", "message", later)]


async def test_it_is_not_told_of_ones_own_silent_muted_blocked_or_deleted(
    tenant: Tenant, room: tuple[Caller, Caller, str]
) -> None:
    ann, bob, channel = room
    notified = Notified(tenant)
    await notified.look()
    await say(ann, channel, "quiet", silent=True)
    gone = await say(ann, channel, "gone")
    await ann.call("DELETE", f"/api/channels/{channel}/messages/{gone}")
    await bob.call("POST", "/api/users/ann/block")
    await say(ann, channel, "for cleo alone")

    assert [user for user, _, _ in await notified.look()] == ["cleo"]
    await bob.call("DELETE", "/api/users/ann/block")
    await bob.call("PATCH", f"/api/channels/{channel}/mute", {"muted": True})
    assert await notified.look() == []
    await bob.call("PATCH", f"/api/channels/{channel}/mute", {"muted": False})
    assert [user for user, _, _ in await notified.look()] == ["bob"]


async def test_who_is_offline_is_told_of_earlier(
    chat: Chat, tenant: Tenant, room: tuple[Caller, Caller, str]
) -> None:
    ann, bob, channel = room
    notified = Notified(tenant)
    await notified.look()
    await bob.call("POST", "/api/presence/online")
    message = await say(ann, channel)

    both = {"offline_s": 5, "unread_s": 60}
    assert await notified.look(after_s=10, **both) == [("cleo", "message", message)]
    assert await notified.look(after_s=60, **both) == [("bob", "message", message)]


async def test_a_mention_is_told_as_one_and_alone_in_a_crowd(
    tenant: Tenant, room: tuple[Caller, Caller, str]
) -> None:
    ann, _, channel = room
    crowd = Notified(tenant, largest=2)
    await crowd.look()
    await say(ann, channel)
    named = await say(ann, channel, "you there", mentionedUserIds=["cleo"])

    assert await crowd.look() == [("cleo", "mention", named)]


async def test_a_mention_that_a_user_is_to_hear_nothing_of_is_not_told_as_one(
    tenant: Tenant, room: tuple[Caller, Caller, str]
) -> None:
    ann, bob, channel = room
    cleo = Caller(tenant.chat, "cleo", (await tenant.user("cleo")).token)
    notified = Notified(tenant)
    await notified.look()
    await cleo.call("POST", "/api/users/bob/mute")
    plain = await say(ann, channel)
    await say(bob, channel, "of whom cleo wants nothing", mentionedUserIds=["cleo"])
    gone = await say(ann, channel, "taken back", mentionedUserIds=["cleo"])
    await ann.call("DELETE", f"/api/channels/{channel}/messages/{gone}")

    assert ("cleo", "message", plain) in await notified.look()


async def test_a_mention_is_told_when_its_own_time_has_come(
    tenant: Tenant, room: tuple[Caller, Caller, str]
) -> None:
    ann, _, channel = room
    notified = Notified(tenant)
    await notified.look()
    plain = await say(ann, channel)
    assert await notified.look(after_s=5) == []
    await say(ann, channel, "only now", mentionedUserIds=["cleo"])

    assert await notified.look(after_s=6) == [("bob", "message", plain), ("cleo", "message", plain)]


async def test_the_owner_chooses_and_nobody_else_is_looked_at(chat: Chat, tenant: Tenant) -> None:
    answer = await tenant.server("PATCH", "/api/app/settings", {"notifyAfter": {"offlineS": 30}})
    assert answer.json()["notifyAfter"] == {"offlineS": 30, "unreadS": None}
    refused = await tenant.server("PATCH", "/api/app/settings", {"notifyAfter": {"offlineS": 0}})
    assert refused.status_code == 422
    off = await tenant.server("PATCH", "/api/app/settings", {"notifyAfter": {}})
    assert off.json()["notifyAfter"] == {"offlineS": None, "unreadS": None}
