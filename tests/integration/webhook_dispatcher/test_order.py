"""Order within channels, and a rate that delays and drops nothing."""

import itertools
from typing import Any

import pytest

from tests.fixtures.dispatcher import Api, EventSource, make_event
from tests.fixtures.receiver import Receiver
from tests.waiting import wait_for


def _taken(receiver: Receiver) -> list[tuple[str, int]]:
    """Channel and sequence of each request, as they came."""
    return [
        (one.event["channelid"], int(one.headers["x-chatsdk-webhook-sequence"])) for one in receiver.received
    ]


def _in_order(taken: list[tuple[str, int]]) -> dict[str, list[int]]:
    """The sequences of each channel, repeats of one delivery left out."""
    by_channel: dict[str, list[int]] = {}
    for channel, sequence in taken:
        seen = by_channel.setdefault(channel, [])
        if not seen or seen[-1] != sequence:
            seen.append(sequence)
    return by_channel


async def _until_all(api: Api, webhook_id: str, status: str, count: int) -> None:
    async def are() -> bool:
        return [one["status"] for one in await api.deliveries(webhook_id)] == [status] * count

    await wait_for(are, 20, f"{count} {status}")


async def test_events_of_a_channel_come_one_after_the_other_and_others_beside(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, ordering="channel")
        channels = ("one", "two", "three")
        # Each fails twice before it is taken, but for the last channel: those behind it wait, the others do not.
        receiver.respond(*[500, 500, 200] * 20)
        await source.publish(
            *(
                make_event(request.node.name, channel_id=channel)
                for _ in range(10)
                for channel in channels[:2]
            )
        )
        await source.publish(make_event(request.node.name, channel_id="three"))
        await _until_all(api, webhook["id"], "succeeded", 21)
        by_channel = _in_order(_taken(receiver))
        assert by_channel["one"] == list(range(1, 21, 2))
        assert by_channel["two"] == list(range(2, 21, 2))
        assert by_channel["three"] == [21]


async def test_one_that_cannot_be_delivered_holds_up_its_channel_until_it_is(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, ordering="channel")
        receiver.always(500)
        await source.publish(*(make_event(request.node.name) for _ in range(4)))

        async def head_is_parked() -> bool:
            statuses = [one["status"] for one in await api.deliveries(webhook["id"])]
            return statuses.count("exhausted") == 1

        await wait_for(head_is_parked, 10)
        waiting = (await api.ok("GET", f"/api/webhooks/{webhook['id']}/undelivered"))["deliveries"]
        assert [one["status"] for one in waiting[1:]] == ["pending"] * 3
        assert all(one["nextAttemptAt"] is None for one in waiting)
        assert {sequence for _, sequence in _taken(receiver)} == {1}
        receiver.always(200)
        await _until_all(api, webhook["id"], "succeeded", 4)
        assert _in_order(_taken(receiver))["c1"] == [1, 2, 3, 4]


async def test_one_that_fails_too_often_is_passed_over_where_the_owner_says_so(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, ordering="channel", parkAfter=2)
        assert (webhook["ordering"], webhook["parkAfter"]) == ("channel", 2)
        receiver.respond(500, 500)
        await source.publish(*(make_event(request.node.name) for _ in range(3)))
        await _until_all(api, webhook["id"], "succeeded", 3)
        assert [sequence for _, sequence in _taken(receiver)][:3] == [1, 1, 2]


async def test_what_waits_for_one_that_expired_is_sent(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        retry = {"ladder": "custom", "waitsS": [3600]}
        webhook = await api.webhook(receiver.url, ordering="channel", retry=retry, deadlineS=1)
        path = f"/api/webhooks/{webhook['id']}"
        receiver.respond(500)
        await source.publish(make_event(request.node.name))
        await receiver.wait_for(1)
        await api.ok("PATCH", path, {"deadlineS": None})
        await source.publish(make_event(request.node.name))
        await receiver.wait_for(2)
        assert [one["status"] for one in await api.deliveries(webhook["id"])][1] == "expired"


async def test_a_policy_that_is_loosened_lets_those_behind_follow(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        retry = {"ladder": "custom", "waitsS": [0.01]}
        webhook = await api.webhook(receiver.url, "message.new", ordering="channel", retry=retry)
        other = await api.webhook(receiver.url, "message.updated")
        receiver.always(500)
        await source.publish(*(make_event(request.node.name) for _ in range(2)))

        async def is_parked() -> bool:
            return "exhausted" in [one["status"] for one in await api.deliveries(webhook["id"])]

        await wait_for(is_parked, 10)
        await api.ok("PATCH", f"/api/webhooks/{webhook['id']}", {"parkAfter": 1})
        await wait_for(lambda: ("c1", 2) in _taken(receiver), 10, "the second to be tried")
        assert other["ordering"] == "none"


@pytest.mark.parametrize(
    ("choice", "path"),
    [
        ({"parkAfter": 3}, "parkAfter"),
        ({"ordering": "message"}, "ordering"),
        ({"ordering": "channel", "parkAfter": 0}, "parkAfter"),
        ({"rateLimit": {"perS": 0}}, "rateLimit.perS"),
        ({"rateLimit": {"burst": 3}}, "rateLimit.perS"),
    ],
)
async def test_a_choice_that_means_nothing_is_refused(api: Api, choice: Any, path: str) -> None:
    body = {"url": "http://127.0.0.1:1/", "events": ["*"], **choice}
    status, answered, _ = await api.call("POST", "/api/webhooks", body)
    assert (status, answered["error"]["details"][0]["path"]) == (422, path)


async def test_a_rate_delays_and_drops_nothing(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    async with Receiver() as receiver:
        webhook = await api.webhook(receiver.url, rateLimit={"perS": 20, "burst": 5})
        assert webhook["rateLimit"] == {"perS": 20, "burst": 5}
        await source.publish(*(make_event(request.node.name) for _ in range(20)))
        await _until_all(api, webhook["id"], "succeeded", 20)
        at = sorted(one.at for one in receiver.received)
        # However many workers there are: of any six at least one had to wait for its token.
        assert all(later - earlier >= 0.04 for earlier, later in zip(at, at[6:], strict=False))
        assert at[-1] - at[0] >= (20 - 5 - 1) / 20
        assert all(later >= earlier for earlier, later in itertools.pairwise(at))
        cleared = await api.ok("PATCH", f"/api/webhooks/{webhook['id']}", {"rateLimit": None})
        assert cleared["rateLimit"] is None
