"""Two of a service: lanes are shared and taken over, deliveries are sent once, counts are the same on both."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.fixtures.callers import AppCaller
from tests.fixtures.receiver import Receiver
from tests.fixtures.services import NewStack, ServiceProcess, Stack
from tests.waiting import wait_for

MESSAGES = 200
# Where the dead are given up fast, a busy test machine would make two of one worker.
UNHURRIED = {"WEBHOOKS_SESSION_RENEW_S": "2", "WEBHOOKS_SESSION_DEAD_S": "8"}


@pytest.fixture(scope="module")
async def doubled(new_stack: NewStack) -> AsyncIterator[Stack]:
    async with new_stack(webhooks=UNHURRIED) as running:
        await asyncio.gather(*(running.add_replica(service) for service in ("chat", "webhooks", "metrics")))
        yield running


def _second(stack: Stack, service: str) -> ServiceProcess:
    (_, second) = [process for process in stack.replicas if process.service == service]
    return second


async def _leaders(stack: Stack) -> Counter[str]:
    connection = await asyncpg.connect(stack.databases["chat"])
    try:
        rows = await connection.fetch(
            "select leader::text from relay_lane where leader_until > clock_timestamp()"
        )
    finally:
        await connection.close()
    return Counter(row["leader"] for row in rows if row["leader"])


async def _counted(process: ServiceProcess, stack: Stack, app_id: str) -> int:
    reply = await stack.caller.call("GET", process.ops_url + "/metrics")
    lines = [line for line in reply.raw.decode().splitlines() if line.startswith("chatsdk_messages_total{")]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines if app_id in line))


async def _send_many(stack: Stack, app: AppCaller, channels: list[str]) -> set[str]:
    """Through both replicas of chat in turn."""
    token = {"Authorization": f"Bearer {await app.token('ann')}"}
    doors = [stack.chat, _second(stack, "chat")]
    doors = [door for door in doors if door.is_running]
    replies = await asyncio.gather(
        *(
            stack.caller.call(
                "POST",
                f"{doors[number % len(doors)].url}/api/channels/{channels[number % len(channels)]}/messages",
                {"text": f"message {number}"},
                token,
            )
            for number in range(MESSAGES)
        )
    )
    assert {reply.status for reply in replies} == {201}
    return {reply.body["id"] for reply in replies}


async def test_two_of_each_send_and_count_each_event_once(doubled: Stack) -> None:
    async def shared() -> bool:
        return sorted((await _leaders(doubled)).values()) == [8, 8]

    await wait_for(shared, 15, "each replica leads half of the lanes")
    app = await doubled.new_app()
    channels = [await app.channel("ann") for _ in range(8)]
    async with Receiver() as receiver:
        webhook = await app.webhook(receiver.url, "message.new")
        receiver.trust(webhook["secret"])

        sent = await _send_many(doubled, app, channels)

        await receiver.wait_for(MESSAGES, within_s=20)
        replicas = [doubled.metrics, _second(doubled, "metrics")]

        async def same_everywhere() -> bool:
            return [await _counted(replica, doubled, app.app_id) for replica in replicas] == [MESSAGES] * 2

        await wait_for(same_everywhere, 10, "both replicas show the same totals")
        heard = [one.event["data"]["id"] for one in receiver.received]
        assert all(one.problem is None for one in receiver.received)
        assert len(heard) == MESSAGES, "nothing was sent twice"
        assert set(heard) == sent


async def test_when_a_replica_dies_the_other_relays_everything(doubled: Stack) -> None:
    app = await doubled.new_app()
    channels = [await app.channel("ann") for _ in range(8)]
    async with Receiver() as receiver:
        webhook = await app.webhook(receiver.url, "message.new")
        receiver.trust(webhook["secret"])
        survivor = {process.pid for process in doubled.replicas if process.service == "chat"}
        await _second(doubled, "chat").kill()
        assert doubled.chat.pid in survivor

        # Sent at once, while the dead one still holds half of the lanes.
        sent = await _send_many(doubled, app, channels)

        async def taken_over() -> bool:
            return list((await _leaders(doubled)).values()) == [16]

        await wait_for(taken_over, 15, "one replica leads all lanes")

        def all_heard() -> bool:
            return {one.event["data"]["id"] for one in receiver.verified} == sent

        await wait_for(all_heard, 20, "everything was published and delivered")
