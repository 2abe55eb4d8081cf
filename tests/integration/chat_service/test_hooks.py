"""The before-send hook with a real server behind it: what it answers, what it does not, and what it costs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
import pytest

from chat_service.collab.rules import wire_ops
from tests.fixtures import hostility
from tests.fixtures.receiver import Behaviour, Exchange, Receiver, answer
from tests.integration.chat_service import roads
from tests.integration.chat_service.calling import Tenant, error_code, problems, running_doors
from tests.integration.chat_service.message_room import MessageRoom, a_room
from tests.integration.chat_service.roads import EDITS, OPERATIONS, POLLS, SENDS, Road
from tests.waiting import wait_for

HOOK = "/api/moderation/hook"


def says(**verdict: Any) -> Behaviour:
    return answer(200, {"Content-Type": "application/json"}, orjson.dumps(verdict))


@asynccontextmanager
async def hooked(tenant: Tenant, **fields: Any) -> AsyncIterator[tuple[MessageRoom, Receiver]]:
    """A room whose app has a hook that accepts everything unless it is told otherwise."""
    async with Receiver() as receiver:
        receiver.always(says(action="accept"))
        made = await tenant.server(
            "PUT", HOOK, {"url": f"{receiver.url}/judge", "timeoutMs": 2_000, **fields}
        )
        assert made.status_code == 201, made.text
        receiver.trust(made.json()["secret"])
        yield await a_room(tenant), receiver


def asked(receiver: Receiver) -> list[dict[str, Any]]:
    assert [one.problem for one in receiver.received] == [None] * len(receiver.received)
    return [one.event for one in receiver.received]


async def last_verdict(tenant: Tenant) -> dict[str, Any]:
    [verdict] = (await tenant.server("GET", "/api/moderation/verdicts?limit=1")).json()["verdicts"]
    return dict(verdict)


async def test_a_call_says_what_is_about_to_be_said_where_and_by_whom(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        await tenant.user("ann", name="Ann", email="ann@example.com")
        sent = await room.send("hello", custom={"k": 1})
        await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "hello again"})
        await roads.by_attached_poll(room, "Which?")
    first, edit, _, poll = asked(receiver)

    assert (first["type"], first["kind"], first["appId"]) == ("message.before_send", "send", tenant.id)
    draft = first["message"]
    assert (draft["id"], draft["text"], draft["userId"]) == (sent["id"], "hello", "ann")
    assert (draft["custom"], draft["channelId"], first["previousText"]) == ({"k": 1}, room.id, None)
    assert (first["channel"]["id"], first["channel"]["name"]) == (room.id, "room")
    assert first["sender"]["name"] == "Ann"
    assert "ann@example.com" not in receiver.received[0].body.decode()
    assert (edit["kind"], edit["message"]["text"], edit["previousText"]) == ("edit", "hello again", "hello")
    assert edit["message"]["id"] == sent["id"]
    assert (poll["kind"], poll["message"]["poll"]) == (
        "poll",
        {"question": "Which?", "options": ["yes", "no"]},
    )


@pytest.mark.parametrize("road", [*SENDS, *EDITS, *OPERATIONS, *POLLS], ids=lambda road: road.__name__)
async def test_a_hook_rejects_on_every_road_and_its_reason_is_told(tenant: Tenant, road: Road) -> None:
    async with hooked(tenant) as (room, receiver):

        async def judge(exchange: Exchange) -> bool:
            assert exchange.received is not None
            is_spam = b"spam" in exchange.received.body.replace(b"previousText", b"")
            verdict = says(action="reject", reason="No spam.") if is_spam else says(action="accept")
            return await verdict(exchange)

        receiver.always(judge)
        code, _ = await road(room, "spam")
        assert code == "message_rejected"
    verdict = await last_verdict(tenant)
    assert (verdict["action"], verdict["reason"], verdict["source"]) == ("reject", "No spam.", "hook")


@pytest.mark.parametrize("road", [*SENDS, *EDITS, *OPERATIONS, *POLLS], ids=lambda road: road.__name__)
async def test_what_is_over_the_limits_is_not_brought_before_the_hook(tenant: Tenant, road: Road) -> None:
    once = {"perSecond": 0.001, "burst": 1}
    is_send = road not in {*EDITS, *OPERATIONS, roads.by_attached_poll}
    async with hooked(tenant) as (room, receiver):
        first = await room.send("first")
        limits = {"send": {"channel": once}} if is_send else {"write": {"user": once}}
        chosen = await tenant.server("PATCH", "/api/app/settings", {"rateLimits": limits})
        assert chosen.status_code == 200, chosen.text
        if not is_send:
            await room.call(room.ann, "PATCH", f"/{first['id']}", {"text": "the only one"})
        elif road is not roads.in_a_thread:
            # That one begins its thread with the only one.
            await room.send("the only one")

        code, _ = await road(room, "too much")

        assert code == "rate_limited"
    assert not any("too much" in orjson.dumps(one).decode() for one in asked(receiver))


async def test_what_two_operations_come_to_together_is_looked_at_too(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        sent = await room.send("xar~", textMode="ot")
        path = f"/{sent['id']}/ops"
        others = [{"clientOpId": "theirs", "baseVersion": 1, "ops": wire_ops((3, "n", -1))}]

        async def judge(exchange: Exchange) -> bool:
            assert exchange.received is not None
            if others:
                # While the app looks at one, another comes.
                theirs = await room.call(room.bob, "POST", path, others.pop())
                assert theirs.status_code == 201, theirs.text
            is_darn = exchange.received.event["message"]["text"] == "darn"
            return await says(action="reject" if is_darn else "accept")(exchange)

        receiver.always(judge)
        mine = {"clientOpId": "mine", "baseVersion": 1, "ops": wire_ops(("d", -1, 3))}
        refused = await room.call(room.ann, "POST", path, mine)

        assert error_code(refused) == "message_rejected"
        assert (await room.read(sent))["text"] == "xarn"
    assert [one["message"]["text"] for one in asked(receiver)[1:]] == ["dar~", "xarn", "darn"]


async def test_a_hook_changes_what_it_names(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        picture = {"type": "image", "url": "https://example.com/x.png"}
        receiver.respond(says(action="change", text="better", custom={"by": "hook"}))
        sent = await room.send("bad", attachments=[picture], clientMsgId="c1")
        assert (sent["text"], sent["custom"]) == ("better", {"by": "hook"})
        assert [one["url"] for one in sent["attachments"]] == [picture["url"]]
        again = await room.call(
            room.ann, "POST", body={"text": "bad", "attachments": [picture], "clientMsgId": "c1"}
        )
        assert (again.status_code, again.json()["text"]) == (200, "better"), "a repeat asks what it asked"

        receiver.respond(says(action="change", text="better ask @bob"))
        assert (await room.send("ask @ann"))["mentions"] == ["bob"]
        receiver.respond(says(action="change", attachments=[], text="no picture"))
        assert (await room.send("x", attachments=[picture]))["attachments"] == []
        receiver.respond(says(action="change", text="edited by hook", custom={"ignored": True}))
        edited = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "edited"})
        assert (edited.json()["text"], edited.json()["custom"]) == ("edited by hook", {"by": "hook"})
    assert len(receiver.received) == 4, "the repeat was found before the hook was asked"


async def test_a_hook_holds_a_message_and_nothing_else(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        receiver.respond(says(action="hold", reason="hm"))
        held = await room.send("hm")
        assert (held["status"], held["seq"]) == ("held", None)
        sent = await room.send("fine")
        receiver.always(says(action="hold"))
        edited = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "hm"})
        assert error_code(edited) == "review_not_possible"
        code, _ = await roads.by_poll(room, "hm?")
        assert code == "review_not_possible"
        receiver.always(says(action="change", text="x"))
        assert (await roads.by_poll(room, "hm?"))[0] == "message_rejected"


async def test_what_would_be_refused_anyway_is_not_shown_to_the_hook(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        eve = await tenant.user("eve")
        assert error_code(await room.call(eve, "POST", body={"text": "x"})) == "not_a_member"
        await room.ann.call("PATCH", f"/api/channels/{room.id}", {"frozen": True})
        assert error_code(await room.call(room.bob, "POST", body={"text": "x"})) == "channel_frozen"
        await room.ann.call("PATCH", f"/api/channels/{room.id}", {"frozen": False})
        sent = await room.send("once")
        refused = await room.call(room.bob, "PATCH", f"/{sent['id']}", {"text": "x"})
        assert refused.status_code == 403
        stale = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "x", "baseVersion": 7})
        assert error_code(stale) == "conflict"
        await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": "once"})
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (hostility.hang, "timeout"),
        (hostility.drip_body, "timeout"),
        (hostility.reset, "unreachable"),
        (hostility.close, "unreachable"),
        (answer(500), "bad_status"),
        (answer(404, body=b'{"action": "accept"}'), "bad_status"),
        (hostility.redirect("http://127.0.0.1:1/elsewhere"), "bad_status"),
        (answer(200, body=b"<html>accept</html>"), "bad_answer"),
        (answer(200, body=b'{"action": "allow"}'), "bad_answer"),
        (answer(200, body=b'{"action": "accept", "x": "' + b"x" * 70_000 + b'"}'), "bad_answer"),
        (hostility.bomb(), "bad_answer"),
        (hostility.infinite_body, "bad_answer"),
        (hostility.endless_header, "unreachable"),
        (hostility.interim_storm, "unreachable"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", "reply"),
)
async def test_without_an_answer_the_apps_policy_decides(
    tenant: Tenant, behaviour: Behaviour, outcome: str
) -> None:
    policy = {"onFailure": "open", "onFailureByType": {"public": "closed"}}
    timeout = 100 if outcome == "timeout" else 2_000
    async with hooked(tenant, timeoutMs=timeout, **policy) as (group, receiver):
        public = await a_room(tenant, type="public")
        receiver.always(behaviour)
        assert (await group.send("open"))["text"] == "open"
        verdict = await last_verdict(tenant)
        assert (verdict["action"], verdict["outcome"]) == ("accept", outcome)
        refused = await public.call(public.ann, "POST", body={"text": "closed"})
        assert (refused.status_code, error_code(refused)) == (503, "screening_unavailable")
        assert refused.headers["Retry-After"]
        verdict = await last_verdict(tenant)
        assert (verdict["action"], verdict["outcome"]) == ("unavailable", outcome)
        # What may be tried again is no result: the lane waits.
        assert (await roads.by_kept_operation(public, "closed"))[0] == "screening_unavailable"


async def test_a_sick_hook_is_left_alone_and_found_well_again(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        receiver.always(500)
        for number in range(8):
            await room.send(f"{number}")
        assert len(receiver.received) == 5, "then it is left alone"
        assert (await last_verdict(tenant))["outcome"] == "breaker_open"
        receiver.always(says(action="change", text="well"))
        # A change of the hook is a reason to try it at once.
        await tenant.server("PUT", HOOK, {"url": f"{receiver.url}/judge", "timeoutMs": 2_000})
        assert (await room.send("9"))["text"] == "well"


async def test_one_call_at_a_time_for_a_user_in_a_channel_and_others_do_not_wait(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        let_go, under_way = asyncio.Event(), list[str]()

        async def slowly(exchange: Exchange) -> bool:
            assert exchange.received is not None
            under_way.append(exchange.received.event["message"]["text"])
            await let_go.wait()
            return await says(action="accept")(exchange)

        receiver.always(slowly)
        sending = [asyncio.create_task(room.send(f"ann {number}")) for number in range(3)]
        await receiver.wait_for(1)
        sending.append(asyncio.create_task(room.send("bob", room.bob)))
        await receiver.wait_for(2)
        assert under_way == ["ann 0", "bob"]
        let_go.set()
        sent = await asyncio.gather(*sending)
        assert sent[0]["seq"] < sent[1]["seq"] < sent[2]["seq"]


async def test_the_hook_is_registered_rotated_and_removed(tenant: Tenant) -> None:
    async with hooked(tenant) as (room, receiver):
        shown = (await tenant.server("GET", HOOK)).json()
        assert "secret" not in shown
        assert (shown["timeoutMs"], shown["onFailure"], shown["enabled"]) == (2_000, "open", True)
        rotated = (await tenant.server("POST", f"{HOOK}/rotate-secret", {"overlapS": 60})).json()
        assert rotated["previousValidUntil"]
        await room.send("signed with both")
        receiver.trust(rotated["secret"])
        await room.send("either is known")
        assert len(receiver.received[1].headers["webhook-signature"].split(" ")) == 2
        rotated = (await tenant.server("POST", f"{HOOK}/rotate-secret")).json()
        await room.send("signed with the newest")
        assert receiver.received[2].problem == "no signature matches", "the old ones ended at once"
        receiver.trust(rotated["secret"])
        await room.send("known")
        assert receiver.received[3].problem is None
        stored = await tenant.chat.sql(
            "select * from before_send_hook where app_id = $1::text::uuid", tenant.id
        )
        assert rotated["secret"] not in str(dict(stored[0]))

        off = await tenant.server("PUT", HOOK, {"url": f"{receiver.url}/judge", "enabled": False})
        assert (off.status_code, "secret" in off.json()) == (200, False)
        await room.send("unseen")
        removed = await tenant.server("DELETE", HOOK)
        assert removed.json()["url"] == off.json()["url"]
        for method, path in (("GET", HOOK), ("DELETE", HOOK), ("POST", f"{HOOK}/rotate-secret")):
            assert error_code(await tenant.server(method, path)) == "hook_not_found"
    assert len(receiver.received) == 4


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"url": "https://10.0.0.1/hook"}, "url", "url_address"),
        ({"url": "https://metadata.google.internal/"}, "url", "url_address"),
        ({"url": "https://user@example.com/"}, "url", "url_userinfo"),
        ({"url": "ftp://example.com/"}, "url", "url_scheme"),
        ({"timeoutMs": 99}, "timeoutMs", "greater_than_equal"),
        ({"timeoutMs": 2_001}, "timeoutMs", "less_than_equal"),
        ({"onFailure": "maybe"}, "onFailure", "literal_error"),
    ],
)
async def test_a_hook_that_cannot_be_is_refused_at_the_field(
    tenant: Tenant, fields: dict[str, Any], path: str, code: str
) -> None:
    refused = await tenant.server("PUT", HOOK, {"url": "https://example.com/hook", **fields})
    assert (refused.status_code, list(problems(refused))) == (422, [path])
    assert code in {*problems(refused).values(), problems(refused)[path]}


async def test_too_many_waiting_calls_are_refused_whatever_the_policy(chat_database: str) -> None:
    async with AsyncExitStack() as stack:
        chat = await stack.enter_async_context(running_doors(chat_database, screening_waiting=2))
        room, receiver = await stack.enter_async_context(hooked(await chat.new_tenant()))
        let_go = asyncio.Event()

        async def slowly(exchange: Exchange) -> bool:
            await let_go.wait()
            return await says(action="accept")(exchange)

        receiver.always(slowly)
        sending = [asyncio.create_task(room.send(f"{number}")) for number in range(2)]
        gate = chat.resources.screening
        await wait_for(lambda: gate.waiting == 2, what="both wait")
        refused = await room.call(room.bob, "POST", body={"text": "x"})
        assert (refused.status_code, error_code(refused)) == (503, "overloaded")
        let_go.set()
        await asyncio.gather(*sending)
    assert gate.waiting == 0
