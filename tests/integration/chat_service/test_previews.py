"""Link previews: fetched behind the send through the guard, shown with a version of their own, or not at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from chat_service.instruments import PreviewInstruments
from chat_service.previews.fetching import PageFetcher
from chat_service.previews.looking import PreviewLoop
from chat_service.strangers import Strangers
from tests.fixtures import hostility
from tests.fixtures.receiver import Behaviour, Receiver, answer
from tests.integration.chat_service.calling import Chat, Tenant
from tests.integration.chat_service.message_room import MessageRoom, a_room

HTML = {"Content-Type": "text/html; charset=utf-8"}


def page(title: str) -> Behaviour:
    return answer(200, HTML, f"<title>{title}</title>".encode())


@dataclass
class Looking:
    """The loop of a replica, run by hand, one look at a time."""

    chat: Chat
    loop: PreviewLoop
    strangers: Strangers

    async def look(self) -> None:
        while await self.loop.step():
            pass

    async def outcomes(self, message: dict[str, Any]) -> tuple[str | None, bool, int] | None:
        rows = await self.chat.sql(
            "select outcome, finished_at is not null as done, attempts from link_preview_job"
            " where message_id = $1::text::uuid",
            message["id"],
        )
        return (rows[0]["outcome"], rows[0]["done"], rows[0]["attempts"]) if rows else None


@asynccontextmanager
async def a_loop(chat: Chat, timeout_s: float = 5.0, **settings: Any) -> AsyncIterator[Looking]:
    resources = chat.resources
    strangers = Strangers.open(resources.settings.model_copy(update=settings))
    loop = PreviewLoop(
        resources.pool,
        PageFetcher(strangers.pages, timeout_s=timeout_s),
        epoch=1,
        poll_s=0.1,
        wake_relay=resources.wake_relay,
        instruments=PreviewInstruments(CollectorRegistry()),
    )
    try:
        yield Looking(chat, loop, strangers)
    finally:
        await strangers.close()


@pytest.fixture
async def looking(chat: Chat) -> AsyncIterator[Looking]:
    async with a_loop(chat) as running:
        yield running


async def previewing(tenant: Tenant, **config: Any) -> MessageRoom:
    return await a_room(tenant, config={"linkPreviews": True, **config})


async def test_previews_are_shown_as_a_change_of_the_message(tenant: Tenant, looking: Looking) -> None:
    async with Receiver() as site:
        room = await previewing(tenant)
        site.always(page("One"), path="/1")
        site.always(page("Two"), path="/2")
        site.always(answer(404), path="/3")
        sent = await room.send(f"see {site.url}/1, {site.url}/2 and {site.url}/3")
        assert sent["linkPreviews"] == [], "nobody waits for them"
        await looking.look()

        shown = await room.read(sent)
        assert [(one["url"], one["title"]) for one in shown["linkPreviews"]] == [
            (f"{site.url}/1", "One"),
            (f"{site.url}/2", "Two"),
        ]
        assert (shown["cv"], shown["version"], shown["editedAt"]) == (sent["cv"] + 1, 1, None)
        [updated] = await room.events("message.updated")
        assert (updated["sequence"], updated["data"]["changed"]) == (str(shown["cv"]), ["linkPreviews"])
        assert updated["data"]["linkPreviews"] == shown["linkPreviews"]
        assert "actorid" not in updated or updated["actorid"] is None
        await looking.look()
        assert len(site.received) == 3, "each link is looked at once"
        assert {one.headers.get("cookie") for one in site.received} == {None}

        edited = (await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "no link"})).json()
        assert edited["linkPreviews"] == []
        assert (await room.events("message.updated"))[-1]["data"]["changed"] == ["text", "linkPreviews"]


async def test_the_previews_of_a_shadow_banned_user_are_theirs_alone(
    tenant: Tenant, looking: Looking
) -> None:
    async with Receiver() as site:
        room = await previewing(tenant)
        site.always(page("One"), path="/1")
        await room.ann.call("POST", f"/api/channels/{room.id}/bans", {"userId": "bob", "shadow": True})
        sent = await room.send(f"see {site.url}/1", room.bob)
        await looking.look()

        assert [one["title"] for one in (await room.read(sent, room.bob))["linkPreviews"]] == ["One"]
        assert [event["data"]["told"] for event in await room.events("message.shadowed")] == [
            "message.new",
            "message.updated",
        ]
        assert await room.events("message.updated") == []


async def test_nothing_is_looked_at_unless_the_channel_wants_it(tenant: Tenant, looking: Looking) -> None:
    async with Receiver() as site:
        off, on = await a_room(tenant), await previewing(tenant)
        assert await looking.outcomes(await off.send(f"see {site.url}/1")) is None
        assert await looking.outcomes(await on.send("no link")) is None
        await looking.look()
    assert site.received == []


async def test_what_changed_meanwhile_gets_no_preview_of_what_it_was(
    tenant: Tenant, looking: Looking
) -> None:
    async with Receiver() as site:
        site.always(page("Title"))
        room = await previewing(tenant)
        deleted = await room.send(f"{site.url}/deleted")
        edited = await room.send(f"{site.url}/before")
        await room.call(room.ann, "DELETE", f"/{deleted['id']}")
        await room.call(room.ann, "PATCH", f"/{edited['id']}", {"text": f"{site.url}/after"})
        await looking.look()
        assert [one.path for one in site.received] == ["/after"]
        assert await looking.outcomes(deleted) == ("void", True, 1)
        assert [one["url"] for one in (await room.read(edited))["linkPreviews"]] == [f"{site.url}/after"]

        async def edit_while_it_is_fetched(exchange: Any) -> bool:
            await room.call(room.ann, "PATCH", f"/{late['id']}", {"text": "changed"})
            return await page("Too late")(exchange)

        site.always(edit_while_it_is_fetched, path="/late")
        late = await room.send(f"{site.url}/late")
        await looking.look()
        assert (await room.read(late))["linkPreviews"] == []
        assert await looking.outcomes(late) == ("void", True, 1)


async def test_redirects_are_followed_a_little_way_and_judged_anew(tenant: Tenant, looking: Looking) -> None:
    async with Receiver() as site:
        room = await previewing(tenant)
        for step in range(5):
            site.always(hostility.redirect(f"/{step - 1}"), path=f"/{step}")
        site.always(page("There"), path="/0")
        near, far = await room.send(f"{site.url}/3"), await room.send(f"{site.url}/4")
        inner = await room.send(f"{site.url}/inner")
        site.always(hostility.redirect("http://10.0.0.1/secret"), path="/inner")
        await looking.look()
        assert [one["title"] for one in (await room.read(near))["linkPreviews"]] == ["There"]
        assert await looking.outcomes(far) == ("too_many_redirects", True, 1)
        assert await looking.outcomes(inner) == ("refused_url", True, 1)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "again"),
    [
        (answer(200, {"Content-Type": "image/png"}, b"png"), "not_html", False),
        (answer(200, HTML, b"nothing"), "nothing_to_show", False),
        (answer(200, HTML, b"<![unheard[of]]><title>x</title>"), "unreadable", False),
        (answer(403), "bad_status", False),
        (hostility.redirect(""), "bad_redirect", False),
        (answer(503), "bad_status", True),
        (hostility.hang, "timeout", True),
        (hostility.drip_body, "timeout", True),
        (hostility.reset, "reset", True),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", "reply"),
)
async def test_a_failure_is_written_down_and_tried_at_most_once_more(
    chat: Chat, tenant: Tenant, behaviour: Behaviour, outcome: str, *, again: bool
) -> None:
    async with Receiver() as site, a_loop(chat, timeout_s=0.2) as looking:
        site.always(behaviour)
        room = await previewing(tenant)
        sent = await room.send(f"{site.url}/x")
        await looking.look()
        assert await looking.outcomes(sent) == (outcome, not again, 1)
        await chat.sql(
            "update link_preview_job set due_at = now() - interval '1 second' where finished_at is null"
        )
        await looking.look()
        assert await looking.outcomes(sent) == (outcome, True, 2 if again else 1)
        assert (await room.read(sent))["linkPreviews"] == []
        assert (await room.events("message.updated")) == []


async def test_of_an_endless_page_only_so_much_is_read(chat: Chat, tenant: Tenant) -> None:
    async with Receiver() as site, a_loop(chat, preview_body_bytes=4_096) as looking:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Endless</title>"
        site.always(hostility.endlessly(lambda number: hostility.BLOCK, start=head))
        room = await previewing(tenant)
        sent = await room.send(f"{site.url}/x")
        await looking.look()
        assert [one["title"] for one in (await room.read(sent))["linkPreviews"]] == ["Endless"]


async def test_without_an_exception_no_inner_address_is_reached(chat: Chat, tenant: Tenant) -> None:
    async with Receiver() as site, a_loop(chat, outgoing_allowed_networks="") as looking:
        room = await previewing(tenant)
        sent = await room.send(f"{site.url}/x")
        await looking.look()
        assert (await looking.outcomes(sent), site.received) == (("refused_url", True, 1), [])


async def test_an_approved_message_has_its_links_looked_at(tenant: Tenant, looking: Looking) -> None:
    async with Receiver() as site:
        site.always(page("Held"))
        await tenant.server("POST", "/api/moderation/word-list/entries", {"phrase": "hold", "action": "hold"})
        room = await previewing(tenant)
        held = await room.send(f"hold {site.url}/x")
        assert await looking.outcomes(held) is None
        await tenant.server("POST", f"/api/moderation/held/{held['id']}/approve")
        await looking.look()
        assert [one["title"] for one in (await room.read(held))["linkPreviews"]] == ["Held"]


async def test_deleting_redacts_the_previews_too(tenant: Tenant, looking: Looking) -> None:
    async with Receiver() as site:
        site.always(page("Private title"))
        room = await previewing(tenant)
        sent = await room.send(f"{site.url}/x")
        await looking.look()
        await room.call(room.ann, "DELETE", f"/{sent['id']}")
        rows = await tenant.chat.sql(
            "select convert_from(body, 'utf8') as body from event where channel_id = $1::text::uuid", room.id
        )
        assert "Private title" not in "".join(row["body"] for row in rows)
