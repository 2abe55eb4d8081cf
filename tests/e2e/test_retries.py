"""A receiver that fails twice: the attempts, the waits between them, and what the history tells."""

from datetime import datetime
from typing import Any

from tests.fixtures.receiver import Receiver
from tests.fixtures.services import Stack
from tests.waiting import wait_for

ROW_FIELDS = {
    "id",
    "webhookId",
    "eventId",
    "event",
    "status",
    "success",
    "statusCode",
    "errorMessage",
    "attempts",
    "retryCount",
    "attemptedAt",
    "nextAttemptAt",
    "createdAt",
}


async def test_a_receiver_that_fails_twice_gets_the_event_at_the_third_attempt(stack: Stack) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann")
    async with Receiver() as receiver:
        receiver.respond(500, 500, 200)
        webhook = await app.webhook(receiver.url, "message.new")
        receiver.trust(webhook["secret"])
        await app.send(channel, "ann", "hold on")

        await receiver.wait_for(1)
        waiting = await wait_for(lambda: _in_state(app.deliveries(webhook["id"]), "pending", attempts=1))
        assert waiting["success"] is False
        assert waiting["statusCode"] == 500
        assert waiting["errorMessage"]
        assert waiting["nextAttemptAt"] > waiting["attemptedAt"]

        first, second, third = await receiver.wait_for(3, within_s=10)
        assert [one.problem for one in (first, second, third)] == [None, None, None]
        assert len({one.body for one in (first, second, third)}) == 1, "the same bytes each time"
        assert len({one.headers["webhook-id"] for one in (first, second, third)}) == 1
        assert 1.0 <= second.at - first.at <= 1.25
        assert 2.0 <= third.at - second.at <= 2.5

        delivery = await wait_for(lambda: _in_state(app.deliveries(webhook["id"]), "succeeded", attempts=3))
        assert delivery.keys() >= ROW_FIELDS
        assert delivery["success"] is True
        assert delivery["statusCode"] == 200
        assert delivery["errorMessage"] is None
        assert delivery["retryCount"] == 2
        assert delivery["nextAttemptAt"] is None

        shown = await app.ok("GET", f"/api/webhooks/{webhook['id']}/deliveries/{delivery['id']}")
        history = shown["history"]
        assert [one["number"] for one in history] == [1, 2, 3]
        assert [one["kind"] for one in history] == ["first", "retry", "retry"]
        assert [one["statusCode"] for one in history] == [500, 500, 200]
        assert [one["success"] for one in history] == [False, False, True]
        times = [datetime.fromisoformat(one["startedAt"]) for one in history]
        assert times == sorted(times)
        assert len(receiver.received) == 3


async def test_after_four_failures_a_delivery_is_exhausted_and_a_replay_brings_it(new_stack: Any) -> None:
    async with new_stack(webhooks={"WEBHOOKS_RETRY_UNIT_S": "0.1"}) as stack, Receiver() as receiver:
        app = await stack.new_app()
        channel = await app.channel("ann")
        receiver.respond(500, 502, 503, 500)
        webhook = await app.webhook(receiver.url, "message.new")
        receiver.trust(webhook["secret"])
        await app.send(channel, "ann", "never mind")

        exhausted = await wait_for(lambda: _in_state(app.deliveries(webhook["id"]), "exhausted", attempts=4))
        assert exhausted["success"] is False
        assert exhausted["nextAttemptAt"] is None
        assert len(receiver.received) == 4
        shown = await app.ok("GET", f"/api/webhooks/{webhook['id']}")
        assert (shown["enabled"], shown["failureCount"]) == (True, 1)

        path = f"/api/webhooks/{webhook['id']}/deliveries/{exhausted['id']}/retry"
        assert (await app.call("POST", path)).status == 202
        await wait_for(lambda: _in_state(app.deliveries(webhook["id"]), "succeeded", attempts=5))
        assert receiver.received[-1].body == receiver.received[0].body


async def _in_state(listing: Any, status: str, *, attempts: int) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = await listing
    if len(found) == 1 and found[0]["status"] == status and found[0]["attempts"] == attempts:
        return found[0]
    return None
