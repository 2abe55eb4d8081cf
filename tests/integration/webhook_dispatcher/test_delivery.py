"""From a published event to a verified request and its history, on a real broker and a real database."""

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fixtures.dispatcher import Api, ChatStandIn, Dispatcher, EventSource, make_event
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.receiver import Receiver, answer
from tests.waiting import wait_for

UNIT_S = 0.2
SLACK_S = 0.1  # the contract's quarter leaves 50 ms at this unit; a busy machine needs more


@pytest.fixture(scope="module")
async def chat() -> AsyncIterator[ChatStandIn]:
    async with ChatStandIn() as chat:
        yield chat


@pytest.fixture(scope="module")
async def source(rabbit_vhost: str) -> AsyncIterator[EventSource]:
    source = await EventSource.open(rabbit_vhost)
    yield source
    await source.close()


@pytest.fixture(scope="module")
async def dispatcher(
    webhooks_database: str,
    rabbit_vhost: str,
    source: EventSource,
    chat: ChatStandIn,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Dispatcher]:
    log = Path(tmp_path_factory.mktemp("dispatcher")) / "log"
    async with Dispatcher(
        webhooks_database, rabbit_vhost, chat, log, WEBHOOKS_RETRY_UNIT_S=str(UNIT_S)
    ) as dispatcher:
        yield dispatcher


@pytest.fixture
def api(dispatcher: Dispatcher, chat: ChatStandIn, request: pytest.FixtureRequest) -> Api:
    """A key of an app of this test's own."""
    chat.keys[f"key of {request.node.name}"] = request.node.name
    return Api(dispatcher.url, f"key of {request.node.name}")


async def test_typing_is_delivered_like_any_event_unless_it_comes_too_late(
    dispatcher: Dispatcher, api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, "typing.start")
        receiver.trust(webhook["secret"])
        late = make_event(request.node.name, "typing.start", at=datetime.now(UTC) - timedelta(seconds=90))
        body = make_event(request.node.name, "typing.start")
        await source.publish(late, body)

        [received] = await receiver.wait_for(1)

        assert (received.body, received.problem) == (body, None)
        assert [one["event"] for one in await api.deliveries(webhook["id"])] == ["typing.start"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{dispatcher.ops_url}/metrics") as response,
    ):
        assert "chatsdk_webhook_expired_events_total 1.0" in await response.text()


async def test_an_event_arrives_signed_with_its_stored_bytes(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(f"{receiver.url}/hook", "message.new")
        receiver.trust(webhook["secret"])
        body = make_event(request.node.name)
        await source.publish(body, make_event(request.node.name, "channel.updated"))
        [received] = await receiver.wait_for(1)
        assert received.problem is None
        assert received.body == body
        assert received.headers["content-type"] == "application/cloudevents+json"
        assert received.headers["user-agent"] == "ChatSDK-Webhooks/1.0"
        assert received.headers["webhook-id"] == json.loads(body)["id"]
        assert received.headers["x-chatsdk-event"] == "message.new"
        assert received.headers["x-chatsdk-attempt"] == "1"
        assert received.headers["x-chatsdk-webhook-sequence"] == "1"

        async def is_recorded() -> bool:
            return [one["status"] for one in await api.deliveries(webhook["id"])] == ["succeeded"]

        await wait_for(is_recorded, 5)
        [delivery] = await api.deliveries(webhook["id"])
        assert delivery["id"] == received.headers["x-chatsdk-delivery-id"]
        assert delivery["success"] is True
        assert delivery["statusCode"] == 200
        assert (delivery["attempts"], delivery["retryCount"]) == (1, 0)


async def _statuses(api: Api, webhook_id: str) -> list[str]:
    return [one["status"] for one in await api.deliveries(webhook_id)]


async def _until(api: Api, webhook_id: str, *statuses: str, within_s: float = 10) -> list[dict[str, Any]]:
    """The deliveries as soon as they have these statuses, newest first."""
    await wait_for(lambda: _have(api, webhook_id, list(statuses)), within_s, f"{webhook_id} to be {statuses}")
    return await api.deliveries(webhook_id)


async def _have(api: Api, webhook_id: str, statuses: list[str]) -> bool:
    return await _statuses(api, webhook_id) == statuses


async def test_500_500_200_is_retried_after_growing_waits_and_ends_succeeded(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.trust(webhook["secret"])
        receiver.respond(500, 500, 200)
        await source.publish(make_event(request.node.name))
        received = await receiver.wait_for(3)
        waits = [later.at - earlier.at for earlier, later in itertools.pairwise(received)]
        assert UNIT_S <= waits[0] <= 1.25 * UNIT_S + SLACK_S
        assert 2 * UNIT_S <= waits[1] <= 1.25 * 2 * UNIT_S + SLACK_S
        assert [one.headers["x-chatsdk-attempt"] for one in received] == ["1", "2", "3"]
        assert len({one.headers["webhook-id"] for one in received}) == 1
        assert len({one.headers["x-chatsdk-delivery-id"] for one in received}) == 1
        assert all(one.problem is None for one in received)
        [delivery] = await _until(api, webhook["id"], "succeeded")
        assert (delivery["attempts"], delivery["retryCount"], delivery["statusCode"]) == (3, 2, 200)
        assert delivery["errorMessage"] is None
        path = f"/api/webhooks/{webhook['id']}/deliveries/{delivery['id']}"
        attempts = (await api.ok("GET", f"{path}/attempts"))["attempts"]
        assert [one["statusCode"] for one in attempts] == [500, 500, 200]
        assert [one["kind"] for one in attempts] == ["first", "retry", "retry"]
        assert (await api.ok("GET", path))["history"] == attempts
        assert (await api.ok("GET", f"/api/webhooks/{webhook['id']}"))["failureCount"] == 0


async def test_four_failures_exhaust_a_delivery_and_count_once(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.always(503)
        await source.publish(make_event(request.node.name))
        [delivery] = await _until(api, webhook["id"], "exhausted")
        assert (delivery["attempts"], delivery["success"], delivery["statusCode"]) == (4, False, 503)
        assert delivery["nextAttemptAt"] is None
        assert len(receiver.received) == 4
        shown = await api.ok("GET", f"/api/webhooks/{webhook['id']}")
        assert (shown["failureCount"], shown["enabled"]) == (1, True)
        assert shown["lastFailureAt"] is not None


async def test_ten_failed_deliveries_disable_later_events_are_held_and_enabling_drains_them(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        path = f"/api/webhooks/{webhook['id']}"
        receiver.always(500)
        await source.publish(*(make_event(request.node.name) for _ in range(10)))
        await _until(api, webhook["id"], *["exhausted"] * 10, within_s=15)
        shown = await api.ok("GET", path)
        assert (shown["enabled"], shown["state"], shown["disabledReason"], shown["failureCount"]) == (
            False,
            "failing",
            "failing",
            10,
        )
        before = len(receiver.received)
        assert before == 40
        held = [make_event(request.node.name) for _ in range(5)]
        await source.publish(*held)
        await _until(api, webhook["id"], *["held"] * 5, *["exhausted"] * 10)
        assert len(receiver.received) == before
        receiver.always(200)
        shown = await api.ok("PATCH", path, {"enabled": True})
        assert (shown["enabled"], shown["failureCount"], shown["disabledReason"]) == (True, 0, None)
        await _until(api, webhook["id"], *["succeeded"] * 15)
        drained = receiver.received[before:]
        sequences = sorted(int(one.headers["x-chatsdk-webhook-sequence"]) for one in drained)
        assert sequences == list(range(1, 16)), "what was held and what was exhausted, each once"
        assert set(held) < {one.body for one in drained}


async def test_a_permanent_refusal_is_final_and_counts_nothing(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.always(400)
        await source.publish(make_event(request.node.name))
        [delivery] = await _until(api, webhook["id"], "failed")
        assert (delivery["attempts"], delivery["statusCode"]) == (1, 400)
        assert (await api.ok("GET", f"/api/webhooks/{webhook['id']}"))["failureCount"] == 0


async def test_410_ends_sending_and_holds_what_comes(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.always(410)
        await source.publish(make_event(request.node.name))
        await _until(api, webhook["id"], "held")
        await source.publish(make_event(request.node.name))
        await _until(api, webhook["id"], "held", "held")
        assert len(receiver.received) == 1
        shown = await api.ok("GET", f"/api/webhooks/{webhook['id']}")
        assert (shown["enabled"], shown["state"], shown["disabledReason"]) == (False, "gone", "gone")


async def test_retry_after_silences_the_whole_endpoint(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.respond(answer(429, {"Retry-After": "1"}))
        await source.publish(make_event(request.node.name))
        await receiver.wait_for(1)
        await _until(api, webhook["id"], "pending")
        await source.publish(make_event(request.node.name))
        received = await receiver.wait_for(3)
        assert all(1.0 <= later.at - received[0].at <= 1.5 for later in received[1:])
        await _until(api, webhook["id"], "succeeded", "succeeded")


async def test_events_of_a_webhook_that_is_off_are_skipped_and_listed(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, enabled=False)
        assert (webhook["enabled"], webhook["state"]) == (False, "off")
        await source.publish(make_event(request.node.name))
        [delivery] = await _until(api, webhook["id"], "skipped")
        await api.ok("PATCH", f"/api/webhooks/{webhook['id']}", {"enabled": True})
        await source.publish(make_event(request.node.name))
        [received] = await receiver.wait_for(1)
        assert received.headers["x-chatsdk-webhook-sequence"] == "1"
        await _until(api, webhook["id"], "succeeded", "skipped")
        path = f"/api/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry"
        status, answered, _ = await api.call("POST", path)
        assert (status, answered["id"]) == (202, delivery["id"])
        await _until(api, webhook["id"], "succeeded", "succeeded")


async def test_a_replay_is_marked_and_a_failed_one_leaves_a_success_a_success(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        await source.publish(make_event(request.node.name))
        [delivery] = await _until(api, webhook["id"], "succeeded")
        receiver.always(500)
        path = f"/api/webhooks/{webhook['id']}/deliveries/{delivery['id']}"
        assert (await api.ok("POST", f"{path}/retry"))["status"] == "pending"
        received = await receiver.wait_for(2)
        assert received[1].headers["x-chatsdk-replay"] == "true"
        assert received[1].headers["x-chatsdk-attempt"] == "2"
        [replayed] = await _until(api, webhook["id"], "succeeded")
        assert replayed["attempts"] == 2
        assert [one["kind"] for one in (await api.ok("GET", path))["history"]] == ["first", "replay"]
        assert (await api.ok("GET", f"/api/webhooks/{webhook['id']}"))["failureCount"] == 0


async def test_a_test_call_is_a_signed_event_in_the_history_that_never_counts(
    api: Api, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.trust(webhook["secret"])
        receiver.respond(500)
        path = f"/api/webhooks/{webhook['id']}"
        status, failed, _ = await api.call("POST", f"{path}/test")
        assert status == 200
        assert (failed["success"], failed["statusCode"]) == (False, 500)
        good = await api.ok("POST", f"{path}/test", {})
        assert (good["success"], good["statusCode"]) == (True, 200)
        assert [one.event["type"] for one in receiver.verified] == ["webhook.test"] * 2
        listed = await api.deliveries(webhook["id"])
        assert [(one["id"], one["status"]) for one in listed] == [
            (good["deliveryId"], "succeeded"),
            (failed["deliveryId"], "failed"),
        ]
        assert (await api.ok("GET", path))["failureCount"] == 0
        assert await api.deliveries(webhook["id"], "&event=message.new") == []
        assert len(await api.deliveries(webhook["id"], "&status=failed")) == 1


async def test_a_rotated_secret_signs_at_once_and_the_old_one_along_for_the_overlap(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        path = f"/api/webhooks/{webhook['id']}"
        rotated = await api.ok("POST", f"{path}/regenerate-secret", {"overlapS": 60})
        assert rotated["secret"] != webhook["secret"]
        await api.ok("POST", f"{path}/test")
        assert len(receiver.received[0].headers["webhook-signature"].split(" ")) == 2
        last = await api.ok("POST", f"{path}/regenerate-secret")
        receiver.trust(last["secret"])
        await api.ok("POST", f"{path}/test")
        assert len(receiver.received[1].headers["webhook-signature"].split(" ")) == 1
        assert receiver.received[1].problem is None


async def test_what_is_no_event_goes_to_the_dead_letters_and_the_rest_is_delivered(
    api: Api,
    source: EventSource,
    dispatcher: Dispatcher,
    rabbit_server: RabbitServer,
    rabbit_vhost: str,
    request: pytest.FixtureRequest,
) -> None:
    vhost = rabbit_vhost.rsplit("/", 1)[1]
    async with Receiver() as receiver:
        await api.webhook(receiver.url)
        await source.publish(b"\xff not json", make_event(request.node.name), b'{"specversion": "1.0"}')
        await receiver.wait_for(1)
        await wait_for(
            lambda: rabbit_server.ready_counts(vhost).get("webhook-dispatcher.plan.dlq") == 2,
            10,
            "dead letters",
        )
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{dispatcher.ops_url}/metrics") as answered,
    ):
        text = await answered.text()
    assert 'consumed_total{outcome="undecodable",queue="webhook-dispatcher.plan"} 2.0' in text


async def test_history_of_before_the_registration_is_not_sent(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        old = make_event(request.node.name, at=datetime.now(UTC) - timedelta(minutes=6))
        await source.publish(old, make_event(request.node.name))
        await _until(api, webhook["id"], "succeeded")
        assert len(receiver.received) == 1


async def test_repeats_of_an_event_are_delivered_once_and_sequences_stay_dense(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        events = [make_event(request.node.name) for _ in range(20)]
        await source.publish(*events, *events[:10])
        await source.publish(*events)
        await source.publish(last := make_event(request.node.name))
        await receiver.wait_for(21)
        await _until(api, webhook["id"], *["succeeded"] * 21)
        assert sorted(one.body for one in receiver.received) == sorted([*events, last])
        order = {one.body: int(one.headers["x-chatsdk-webhook-sequence"]) for one in receiver.received}
        assert [order[event] for event in [*events, last]] == list(range(1, 22))


async def test_a_url_into_a_private_network_is_refused_at_registration(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    status, answered, _ = await api.call(
        "POST", "/api/webhooks", {"url": "http://10.0.0.1/hook", "events": ["*"]}
    )
    assert status == 422
    assert answered["error"]["details"][0]["path"] == "url"
    assert answered["error"]["hint"]
