"""Outages of receivers: probes find out when one is well again, and what waited for it is delivered in its order."""

from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from tests.fixtures.dispatcher import Api, EventSource, make_event
from tests.fixtures.receiver import Receiver
from tests.waiting import wait_for
from webhook_dispatcher.dispatch.expiry import Expiry
from webhook_dispatcher.instruments import Instruments


async def _until(api: Api, webhook_id: str, *statuses: str) -> list[dict[str, Any]]:
    async def have() -> bool:
        return [one["status"] for one in await api.deliveries(webhook_id)] == list(statuses)

    await wait_for(have, 20, f"{webhook_id} to be {statuses}")
    return await api.deliveries(webhook_id)


async def _kinds(api: Api, delivery: dict[str, Any]) -> list[str]:
    path = f"/api/webhooks/{delivery['webhookId']}/deliveries/{delivery['id']}/attempts"
    return [one["kind"] for one in (await api.ok("GET", path))["attempts"]]


def _sequences(receiver: Receiver, after: int) -> list[int]:
    return [int(one.headers["x-chatsdk-webhook-sequence"]) for one in receiver.received[after:]]


async def test_a_failing_endpoint_is_probed_with_its_oldest_and_gets_all_when_it_is_well(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        path = f"/api/webhooks/{webhook['id']}"
        receiver.always(500)
        await source.publish(*(make_event(request.node.name) for _ in range(10)))
        await _until(api, webhook["id"], *["exhausted"] * 10)
        before = len(receiver.received)
        await source.publish(*(make_event(request.node.name) for _ in range(3)))

        # Two workers, and no two probes at once: each has an answer before the next.
        await receiver.wait_for(before + 3)
        shown = await api.ok("GET", path)
        probed = _sequences(receiver, before)
        assert (shown["state"], shown["failureCount"]) == ("failing", 10)
        assert set(probed) == {1}

        waiting = await api.ok("GET", f"{path}/undelivered?limit=4")
        receiver.always(200)
        assert [one["sequence"] for one in waiting["deliveries"]] == [1, 2, 3, 4]
        assert (waiting["count"], waiting["countIsExact"], waiting["hasMore"]) == (13, True, True)
        assert waiting["oldestAt"] == waiting["deliveries"][0]["createdAt"]
        rest = await api.ok("GET", f"{path}/undelivered?cursor={waiting['nextCursor']}")
        assert len(rest["deliveries"]) == 9

        listed = await _until(api, webhook["id"], *["succeeded"] * 13)
        shown = await api.ok("GET", path)
        assert (shown["state"], shown["failureCount"], shown["enabled"]) == ("active", 0, True)
        [first] = [one for one in listed if one["sequence"] == 1]
        kinds = await _kinds(api, first)
        assert kinds == ["first", "retry", "retry", "retry", *["probe"] * (len(kinds) - 4)]
        assert len(kinds) >= 8
        others = [await _kinds(api, one) for one in listed if 1 < one["sequence"] <= 10]
        assert all(kinds[:4] == ["first", "retry", "retry", "retry"] for kinds in others)
        # While it drains, a probe may come beside.
        assert {kind for kinds in others for kind in kinds[4:]} in ({"drain"}, {"drain", "probe"})
        assert (await api.ok("GET", f"{path}/undelivered"))["count"] == 0


async def test_an_outage_that_exhausts_three_deliveries_drains_them_though_nothing_else_happens(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.always(503)
        await source.publish(*(make_event(request.node.name) for _ in range(3)))
        await _until(api, webhook["id"], *["exhausted"] * 3)
        assert (await api.ok("GET", f"/api/webhooks/{webhook['id']}"))["enabled"] is True
        receiver.always(200)
        after = len(receiver.received)
        await _until(api, webhook["id"], *["succeeded"] * 3)
        assert sorted(_sequences(receiver, after)[-3:]) == [1, 2, 3]
        assert (await api.ok("GET", f"/api/webhooks/{webhook['id']}"))["failureCount"] == 0


async def test_a_drain_that_meets_a_new_outage_parks_again_and_counts_nothing(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.always(500)
        await source.publish(*(make_event(request.node.name) for _ in range(9)))
        await _until(api, webhook["id"], *["exhausted"] * 9)
        failures = (await api.ok("GET", f"/api/webhooks/{webhook['id']}"))["failureCount"]
        receiver.respond(200, 500, 500)
        await wait_for(lambda: _is_drained_in_part(api, webhook["id"]), 10, "one success")

        receiver.always(200)
        await _until(api, webhook["id"], *["succeeded"] * 9)
        assert failures == 9
        assert (await api.ok("GET", f"/api/webhooks/{webhook['id']}"))["state"] == "active"


async def _is_drained_in_part(api: Api, webhook_id: str) -> bool:
    return any(one["success"] for one in await api.deliveries(webhook_id))


async def test_a_webhook_has_a_ladder_of_its_own(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, retry={"ladder": "custom", "waitsS": [0.05]})
        path = f"/api/webhooks/{webhook['id']}"
        assert webhook["retry"] == {"ladder": "custom", "waitsS": [0.05]}
        receiver.respond(500, 500)
        receiver.always(500)
        await source.publish(make_event(request.node.name))
        [delivery] = await _until(api, webhook["id"], "exhausted")
        assert (await _kinds(api, delivery))[:2] == ["first", "retry"]
        assert "retry" not in (await _kinds(api, delivery))[2:]
        changed = await api.ok("PATCH", path, {"retry": {"ladder": "standard"}})
        assert changed["retry"]["ladder"] == "standard"
        assert changed["retry"]["waitsS"][:2] == [5, 30]
        assert (await api.ok("PATCH", path, {"deadlineS": 60}))["retry"] == changed["retry"]


@pytest.mark.parametrize(
    ("retry", "path"),
    [
        ({"ladder": "custom"}, "retry.waitsS"),
        ({"ladder": "custom", "waitsS": [0]}, "retry.waitsS"),
        ({"ladder": "quick", "waitsS": [1]}, "retry.waitsS"),
        ({"ladder": "steep"}, "retry.ladder"),
    ],
)
async def test_a_ladder_that_cannot_be_climbed_is_refused(api: Api, retry: Any, path: str) -> None:
    body = {"url": "http://127.0.0.1:1/", "events": ["*"], "retry": retry}
    status, answered, _ = await api.call("POST", "/api/webhooks", body)
    assert (status, answered["error"]["details"][0]["path"]) == (422, path)


async def test_what_is_older_than_the_deadline_expires_unsent_and_can_be_replayed(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, deadlineS=1, retry={"ladder": "custom", "waitsS": [3600]})
        receiver.always(500)
        await source.publish(make_event(request.node.name))
        [delivery] = await _until(api, webhook["id"], "expired")
        assert delivery["errorMessage"] == "The event is older than the webhook's deadline allows."
        assert len(receiver.received) == 1
        receiver.always(200)
        await api.ok("POST", f"/api/webhooks/{webhook['id']}/deliveries/{delivery['id']}/retry")
        await _until(api, webhook["id"], "succeeded")


async def test_beyond_the_limit_the_oldest_that_are_held_expire(
    api: Api, source: EventSource, webhooks_database: str, request: pytest.FixtureRequest
) -> None:
    instruments = Instruments(CollectorRegistry())
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url)
        receiver.always(410)
        await source.publish(make_event(request.node.name))
        await _until(api, webhook["id"], "held")
        await source.publish(*(make_event(request.node.name) for _ in range(24)))
        await _until(api, webhook["id"], *["held"] * 25)
        async with asyncpg.create_pool(webhooks_database, min_size=1, max_size=1) as pool:
            await Expiry(pool, instruments, held_limit=20).end_excess()
        listed = await api.deliveries(webhook["id"])
        assert {one["sequence"] for one in listed if one["status"] == "expired"} == {1, 2, 3, 4, 5}
        assert [one["status"] for one in listed].count("held") == 20
