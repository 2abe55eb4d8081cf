"""The dispatcher's calls and replies as `contract.md` pins them, asked over HTTP of a running process."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from chatsdk_contracts.catalogue import WEBHOOK_EVENT_TYPES
from tests.fixtures.dispatcher import Api, ChatStandIn, Dispatcher, EventSource, make_event
from tests.fixtures.receiver import Receiver
from tests.waiting import wait_for

URL = "https://example.com/hook"


@pytest.fixture(scope="module")
async def chat() -> AsyncIterator[ChatStandIn]:
    async with ChatStandIn() as chat:
        chat.keys |= {"key": "app-1", "other key": "app-2"}
        chat.tokens["user token"] = ("app-1", "anna")
        yield chat


@pytest.fixture(scope="module")
async def source(rabbit_vhost: str) -> AsyncIterator[EventSource]:
    source = await EventSource.open(rabbit_vhost)
    yield source
    await source.close()


@pytest.fixture(scope="module")
async def dispatcher(
    webhooks_database: str, rabbit_vhost: str, chat: ChatStandIn, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Dispatcher]:
    log = Path(tmp_path_factory.mktemp("dispatcher")) / "log"
    async with Dispatcher(webhooks_database, rabbit_vhost, chat, log) as dispatcher:
        yield dispatcher


@pytest.fixture
def api(dispatcher: Dispatcher) -> Api:
    return Api(dispatcher.url, "key")


@pytest.fixture
def stranger(dispatcher: Dispatcher) -> Api:
    return Api(dispatcher.url, "other key")


async def test_registering_answers_the_webhook_with_its_secret_and_nothing_shows_it_again(api: Api) -> None:
    status, made, headers = await api.call(
        "POST", "/api/webhooks", {"url": URL, "events": ["message.new", "channel.*"], "description": "d"}
    )
    assert status == 201
    assert made.keys() >= {"id", "url", "events", "enabled", "secret", "createdAt"}
    assert (made["url"], made["events"], made["enabled"]) == (URL, ["message.new", "channel.*"], True)
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert headers["x-request-id"]
    shown = await api.ok("GET", f"/api/webhooks/{made['id']}")
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert shown["state"] == "active"
    assert shown["failureCount"] == 0
    listed = await api.ok("GET", "/api/webhooks")
    assert listed.keys() == {"webhooks", "nextCursor", "hasMore"}
    changed = await api.ok("PATCH", f"/api/webhooks/{made['id']}", {"description": "e"})
    assert changed["description"] == "e"
    for answer in (shown, listed, changed):
        assert "whsec_" not in json.dumps(answer)


async def test_secrets_are_unreadable_at_rest(api: Api, webhooks_database: str) -> None:
    made = await api.webhook(URL)
    connection = await asyncpg.connect(webhooks_database)
    try:
        rows = await connection.fetch(
            "select ciphertext from webhook_secret where webhook_id = $1", uuid.UUID(made["id"])
        )
    finally:
        await connection.close()
    assert len(rows) == 1
    assert b"whsec_" not in rows[0]["ciphertext"]
    assert made["secret"].encode() not in rows[0]["ciphertext"]


async def test_an_own_secret_is_taken_in_the_pinned_form_only(api: Api) -> None:
    own = "whsec_" + base64.b64encode(bytes(24)).decode()
    assert (await api.webhook(URL, secret=own))["secret"] == own
    for bad in ("short", "whsec_!!", "whsec_" + base64.b64encode(bytes(23)).decode()):
        status, answer, _ = await api.call(
            "POST", "/api/webhooks", {"url": URL, "events": ["*"], "secret": bad}
        )
        assert status == 422
        assert answer["error"]["details"][0]["path"] == "secret"
        assert bad not in json.dumps(answer)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"events": ["*"]}, "url"),
        ({"url": URL}, "events"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["message.new", "message.nwe"]}, "events[1]"),
        ({"url": URL, "events": ["*"], "colour": "red"}, "colour"),
        ({"url": URL, "events": ["*"], "enabled": "yes"}, "enabled"),
        ({"url": URL, "events": ["*"], "description": "x" * 501}, "description"),
        ({"url": "ftp://example.com", "events": ["*"]}, "url"),
        ({"url": "https://user:pw@example.com", "events": ["*"]}, "url"),
        ({"url": "https://169.254.169.254/latest", "events": ["*"]}, "url"),
    ],
)
async def test_a_bad_field_is_422_at_its_path(api: Api, body: dict[str, object], path: str) -> None:
    status, answer, _ = await api.call("POST", "/api/webhooks", body)
    assert status == 422
    assert [problem["path"] for problem in answer["error"]["details"]] == [path]
    assert answer["error"]["requestId"].startswith("req_")


async def test_malformed_json_is_400_and_an_oversized_body_413(api: Api) -> None:
    assert (await api.call("POST", "/api/webhooks", b"{"))[0] == 400
    assert (await api.call("POST", "/api/webhooks", b'"' + b"x" * 300_000 + b'"'))[0] == 413


async def test_every_event_type_and_its_groups_can_be_asked_for(api: Api) -> None:
    groups = {f"{name.partition('.')[0]}.*" for name in WEBHOOK_EVENT_TYPES}
    asked = sorted(WEBHOOK_EVENT_TYPES | groups | {"*"})
    assert (await api.webhook(URL, *asked))["events"] == asked


async def test_a_user_is_refused_and_a_stranger_finds_nothing(
    api: Api, stranger: Api, dispatcher: Dispatcher
) -> None:
    made = await api.webhook(URL)
    delivery = (await api.ok("POST", f"/api/webhooks/{made['id']}/test"))["deliveryId"]
    own = f"/api/webhooks/{made['id']}"
    calls = [
        ("GET", own, None),
        ("PATCH", own, {"enabled": False}),
        ("DELETE", own, None),
        ("POST", f"{own}/regenerate-secret", None),
        ("POST", f"{own}/test", None),
        ("GET", f"{own}/deliveries", None),
        ("GET", f"{own}/deliveries/{delivery}", None),
        ("GET", f"{own}/deliveries/{delivery}/attempts", None),
        ("POST", f"{own}/deliveries/{delivery}/retry", None),
    ]
    user = Api(dispatcher.url, None, Authorization="Bearer user token")
    nobody = Api(dispatcher.url, None, Authorization="Bearer forged")
    for method, path, body in calls:
        assert (await stranger.call(method, path, body))[0] == 404, path
        assert (await user.call(method, path, body))[0] == 403, path
        assert (await nobody.call(method, path, body))[0] == 401, path
        assert (await Api(dispatcher.url, "wrong").call(method, path, body))[0] == 401, path
        assert (await Api(dispatcher.url).call(method, path, body))[0] == 401, path
    assert made["id"] not in json.dumps(await stranger.ok("GET", "/api/webhooks"))
    assert (await api.ok("GET", own))["enabled"] is True


async def test_a_limited_key_needs_the_scope_of_webhooks(dispatcher: Dispatcher, chat: ChatStandIn) -> None:
    chat.keys |= {"reader": "app-1", "manager": "app-1"}
    chat.scopes |= {"reader": ["chat:read"], "manager": ["webhooks:manage"]}
    status, answer, _ = await Api(dispatcher.url, "reader").call("GET", "/api/webhooks")
    assert (status, answer["error"]["code"]) == (403, "scope_missing")
    assert "webhooks:manage" in answer["error"]["hint"]
    assert (await Api(dispatcher.url, "manager").webhook(URL))["url"] == URL


async def test_a_revoked_key_is_refused_when_chat_tells_so(
    dispatcher: Dispatcher, chat: ChatStandIn, source: EventSource
) -> None:
    chat.keys["doomed"] = "app-1"
    api = Api(dispatcher.url, "doomed")
    assert (await api.call("GET", "/api/webhooks"))[0] == 200
    del chat.keys["doomed"]
    assert (await api.call("GET", "/api/webhooks"))[0] == 200
    await source.tell(b"whatever")

    async def is_refused() -> bool:
        return (await api.call("GET", "/api/webhooks"))[0] == 401

    # Without the broker it would be known for five seconds.
    await wait_for(is_refused, 3)


async def test_deleting_ends_a_webhook(api: Api) -> None:
    made = await api.webhook(URL)
    path = f"/api/webhooks/{made['id']}"
    assert (await api.ok("DELETE", path))["success"] is True
    assert (await api.call("DELETE", path))[0] == 404
    assert (await api.call("GET", path))[0] == 404
    assert (await api.call("GET", "/api/webhooks/no-uuid"))[0] == 404


async def test_an_idempotency_key_replays_status_and_body(api: Api) -> None:
    body, key = {"url": URL, "events": ["*"]}, {"Idempotency-Key": uuid.uuid4().hex}
    answers = await asyncio.gather(*(api.call("POST", "/api/webhooks", body, key) for _ in range(5)))
    assert {status for status, _, _ in answers} == {201}
    assert len({json.dumps(answer) for _, answer, _ in answers}) == 1
    assert sum("Idempotent-Replayed" in headers for _, _, headers in answers) == 4
    other = {"url": URL, "events": ["message.new"]}
    status, answer, _ = await api.call("POST", "/api/webhooks", other, key)
    assert (status, answer["error"]["code"]) == (422, "idempotency_mismatch")


async def test_a_test_with_an_idempotency_key_is_sent_once(api: Api) -> None:
    async with Receiver() as receiver:
        made = await api.webhook(receiver.url)
        key = {"Idempotency-Key": uuid.uuid4().hex}
        first = await api.call("POST", f"/api/webhooks/{made['id']}/test", None, key)
        again = await api.call("POST", f"/api/webhooks/{made['id']}/test", None, key)
        assert first[:2] == again[:2]
        assert first[1].keys() == {"success", "statusCode", "message", "deliveryId"}
        assert len(receiver.received) == 1


async def test_rotation_takes_an_overlap_of_at_most_a_week(api: Api) -> None:
    made = await api.webhook(URL)
    path = f"/api/webhooks/{made['id']}/regenerate-secret"
    rotated = await api.ok("POST", path, {"overlapS": 604_800})
    assert rotated["secret"].startswith("whsec_")
    assert rotated["previousValidUntil"] is not None
    assert (await api.ok("POST", path))["previousValidUntil"] is None
    for bad in (-1, 604_801, "60"):
        assert (await api.call("POST", path, {"overlapS": bad}))[0] == 422


async def test_deliveries_are_listed_page_by_page_newest_first(api: Api, source: EventSource) -> None:
    async with Receiver() as receiver:
        made = await api.webhook(receiver.url, "poll.created")
        for _ in range(5):
            await source.publish(make_event("app-1", "poll.created"))

        async def are_done() -> bool:
            return [one["status"] for one in await api.deliveries(made["id"])] == ["succeeded"] * 5

        await wait_for(are_done)
        path = f"/api/webhooks/{made['id']}/deliveries"
        first = await api.ok("GET", f"{path}?limit=3")
        second = await api.ok("GET", f"{path}?limit=3&cursor={first['nextCursor']}")
        assert (first["hasMore"], second["hasMore"], second["nextCursor"]) == (True, False, None)
        rows = [*first["deliveries"], *second["deliveries"]]
        assert rows == await api.deliveries(made["id"])
        assert [row["sequence"] for row in rows] == [5, 4, 3, 2, 1]
        assert rows[0].keys() >= {
            "id", "webhookId", "eventId", "event", "status", "success", "statusCode", "errorMessage",
            "attempts", "retryCount", "attemptedAt", "nextAttemptAt", "createdAt",
        }  # fmt: skip
        assert (await api.call("GET", f"{path}?cursor=nonsense"))[0] == 400
        assert (await api.call("GET", f"{path}?status=lost"))[0] == 422
        assert (await api.call("GET", f"{path}/{uuid.uuid4()}"))[0] == 404


async def test_operations_paths_are_on_both_ports_in_development_and_on_the_private_one_in_production(
    dispatcher: Dispatcher, webhooks_database: str, rabbit_vhost: str, chat: ChatStandIn, tmp_path: Path
) -> None:
    paths = ["/health", "/health/detailed", "/ready", "/live", "/metrics"]
    async with (
        Dispatcher(
            webhooks_database, rabbit_vhost, chat, tmp_path / "log", CHATSDK_ENV="production"
        ) as production,
        aiohttp.ClientSession() as session,
    ):
        for path in paths:
            for base, wanted in [
                (dispatcher.url, 200),
                (dispatcher.ops_url, 200),
                (production.ops_url, 200),
                (production.url, 404),
            ]:
                async with session.get(base + path) as response:
                    assert response.status == wanted, (base, path)


async def test_while_chat_is_away_management_is_503_and_deliveries_go_on(
    webhooks_database: str, rabbit_vhost: str, source: EventSource, tmp_path: Path, dispatcher: Dispatcher
) -> None:
    await dispatcher.stop()
    try:
        async with ChatStandIn() as chat, Receiver() as receiver:
            chat.keys["k"] = "app-away"
            async with Dispatcher(webhooks_database, rabbit_vhost, chat, tmp_path / "log") as alone:
                await Api(alone.url, "k").webhook(receiver.url)
                chat.is_away = True
                status, answer, headers = await Api(alone.url, "new key").call("GET", "/api/webhooks")
                assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "unavailable", "1")
                await source.publish(make_event("app-away"))
                await receiver.wait_for(1)
    finally:
        await dispatcher.start()


async def test_who_has_no_key_learns_nothing_about_his_body(dispatcher: Dispatcher) -> None:
    status, answer, _ = await Api(dispatcher.url).call("POST", "/api/webhooks", {"nonsense": 1})
    assert (status, answer["error"]["code"]) == (401, "unauthorized")
    assert "details" not in answer["error"]
