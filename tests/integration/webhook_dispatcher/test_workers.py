"""Several workers on one database: no delivery sent twice in peace, none lost when a worker dies."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from chatsdk_runtime.outgoing.exchange import Reply
from tests.fixtures.dispatcher import Api, ChatStandIn, Dispatcher, EventSource, make_event
from tests.fixtures.hostility import hang
from tests.fixtures.receiver import Receiver, answer
from tests.waiting import wait_for
from webhook_dispatcher.dispatch.ladder import QUICK, ProbeWaits
from webhook_dispatcher.dispatch.leases import Finished, Lease
from webhook_dispatcher.dispatch.outcome import Delivered
from webhook_dispatcher.dispatch.record import Recorder

SHORT_SESSIONS = {"WEBHOOKS_SESSION_RENEW_S": "0.3", "WEBHOOKS_SESSION_DEAD_S": "1.5"}


@pytest.fixture
async def chat() -> AsyncIterator[ChatStandIn]:
    async with ChatStandIn() as chat:
        chat.keys["k"] = "workers"
        yield chat


@pytest.fixture(scope="module")
async def source(rabbit_vhost: str) -> AsyncIterator[EventSource]:
    source = await EventSource.open(rabbit_vhost)
    yield source
    await source.close()


@pytest.fixture
async def database(webhooks_database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(webhooks_database)
    yield connection
    await connection.close()


async def _succeeded(api: Api, webhook_id: str, count: int) -> None:
    async def is_so() -> bool:
        return [one["status"] for one in await api.deliveries(webhook_id)] == ["succeeded"] * count

    await wait_for(is_so, 15, "all succeeded")


async def test_two_workers_send_each_delivery_once(
    webhooks_database: str, rabbit_vhost: str, source: EventSource, chat: ChatStandIn, tmp_path: Path
) -> None:
    async with (
        Receiver() as receiver,
        Dispatcher(webhooks_database, rabbit_vhost, chat, tmp_path / "a") as first,
        Dispatcher(webhooks_database, rabbit_vhost, chat, tmp_path / "b"),
    ):
        api = Api(first.url, "k")
        webhooks = [await api.webhook(f"{receiver.url}/{n}") for n in range(5)]
        for _ in range(10):
            await source.publish(*(make_event("workers") for _ in range(10)))
        await receiver.wait_for(500)
        for webhook in webhooks:
            await _succeeded(api, webhook["id"], 100)
        sent = [one.headers["x-chatsdk-delivery-id"] for one in receiver.received]
        assert len(sent) == len(set(sent)) == 500
        for webhook in webhooks:
            await api.ok("DELETE", f"/api/webhooks/{webhook['id']}")


async def test_what_a_killed_worker_had_leased_is_delivered_by_another(
    webhooks_database: str, rabbit_vhost: str, source: EventSource, chat: ChatStandIn, tmp_path: Path
) -> None:
    async with Receiver() as receiver:
        first = Dispatcher(webhooks_database, rabbit_vhost, chat, tmp_path / "a", **SHORT_SESSIONS)
        await first.start()
        api = Api(first.url, "k")
        webhook = await api.webhook(receiver.url)
        receiver.trust(webhook["secret"])
        receiver.always(hang)
        await source.publish(*(make_event("workers") for _ in range(15)))
        await receiver.wait_for(1)
        await first.kill()
        receiver.always(200)
        async with Dispatcher(
            webhooks_database, rabbit_vhost, chat, tmp_path / "b", **SHORT_SESSIONS
        ) as other:
            api = Api(other.url, "k")
            await _succeeded(api, webhook["id"], 15)
            assert "dead_sessions_ended" in other.log
            # No attempt of the killed worker was recorded, so none is counted.
            assert {one["attempts"] for one in await api.deliveries(webhook["id"])} == {1}
            await api.ok("DELETE", f"/api/webhooks/{webhook['id']}")


async def test_a_worker_that_slept_through_its_session_records_nothing_and_goes_on(
    webhooks_database: str,
    rabbit_vhost: str,
    source: EventSource,
    chat: ChatStandIn,
    database: "asyncpg.Connection[asyncpg.Record]",
    tmp_path: Path,
) -> None:
    async with (
        Receiver() as receiver,
        Dispatcher(webhooks_database, rabbit_vhost, chat, tmp_path / "a", **SHORT_SESSIONS) as only,
    ):
        api = Api(only.url, "k")
        webhook = await api.webhook(receiver.url)
        release = asyncio.Event()

        async def slowly(exchange: object) -> bool:
            await release.wait()
            return await answer(200)(exchange)  # type: ignore[arg-type]

        receiver.respond(slowly)
        await source.publish(make_event("workers"))
        await receiver.wait_for(1)
        # As another worker would, had this one not renewed for long enough.
        await database.execute("delete from worker_session")
        await database.execute("update due_delivery set session_id = null, generation = null")
        release.set()
        await wait_for(lambda: "records_fenced" in only.log, 10, "the stale outcome to be refused")
        await database.execute("update endpoint set next_due_at = now()")
        await receiver.wait_for(2)
        await _succeeded(api, webhook["id"], 1)
        assert "session_lost" in only.log
        [delivery] = await api.deliveries(webhook["id"])
        assert delivery["attempts"] == 1
        await api.ok("DELETE", f"/api/webhooks/{webhook['id']}")


async def test_an_outcome_is_recorded_for_the_leased_session_generation_and_attempt_only(
    webhooks_database: str, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    from datetime import UTC, datetime
    from uuid import uuid4

    from chatsdk_contracts.ids import new_id

    webhook_id, session_id, delivery_id, event_id = uuid4(), uuid4(), UUID(new_id()), new_id()
    await database.execute(
        "insert into webhook (id, app_id, url, events) values ($1, 'fence', 'http://x', '{*}')", webhook_id
    )
    await database.execute("insert into endpoint (webhook_id, app_id) values ($1, 'fence')", webhook_id)
    await database.execute(
        "insert into delivery (id, webhook_id, app_id, event_id, event_type, order_no, status)"
        " values ($1, $2, 'fence', $3, 'message.new', 1, 'pending')",
        delivery_id,
        webhook_id,
        event_id,
    )
    await database.execute(
        "insert into due_delivery (delivery_id, webhook_id, event_id, event_type, order_no, attempt, due_at,"
        " session_id, generation) values ($1, $2, $3, 'message.new', 1, 1, now(), $4, 7)",
        delivery_id,
        webhook_id,
        event_id,
        session_id,
    )
    reply = Reply(200, (), b"", truncated=False, duration_s=0.01)

    def outcome(generation: int, attempt: int) -> Finished:
        lease = Lease(delivery_id, webhook_id, event_id, "message.new", 1, attempt, False, None, generation)
        return Finished(lease, reply, Delivered(), QUICK, datetime.now(UTC), 0.0)

    async with asyncpg.create_pool(webhooks_database, min_size=1, max_size=1) as pool:
        recorder = Recorder(pool, probe_waits=ProbeWaits(), chance=lambda: 0.5)
        for session, one in [
            (uuid4(), outcome(7, 2)),
            (session_id, outcome(6, 2)),
            (session_id, outcome(7, 1)),
            (session_id, outcome(7, 3)),
        ]:
            assert (await recorder.record(session, [one], [])).fenced == 1
        assert await database.fetchval("select status from delivery where id = $1", delivery_id) == "pending"
        # After an outage one batch may hold the lost lease's attempt beside the present one, and that one twice.
        recorded = await recorder.record(session_id, [outcome(6, 2), outcome(7, 2), outcome(7, 2)], [])
        assert (recorded.outcomes, recorded.fenced) == (["succeeded"], 2)
        assert (await recorder.record(session_id, [outcome(7, 2)], [])).fenced == 1
    assert await database.fetchval("select status from delivery where id = $1", delivery_id) == "succeeded"
    assert await database.fetchval("select count(*) from attempt where delivery_id = $1", delivery_id) == 1


async def test_what_the_broker_lost_is_fetched_from_the_log(
    webhooks_database: str, rabbit_vhost: str, chat: ChatStandIn, source: EventSource, tmp_path: Path
) -> None:
    async with (
        Receiver() as receiver,
        Dispatcher(
            webhooks_database,
            rabbit_vhost,
            chat,
            tmp_path / "a",
            WEBHOOKS_RECONCILE_INTERVAL_S="0.3",
            WEBHOOKS_RECONCILE_GRACE_S="0",
        ) as only,
    ):
        api = Api(only.url, "k")
        await api.webhook(receiver.url)
        events = [make_event("workers") for _ in range(30)]
        places = [(3, chat.append(3, event)) for event in events]
        # The broker brings some of them, one twice; the rest only the log has.
        await source.publish(*events[:3], located=places[:3])
        await source.publish(*events[10:12], located=places[10:12])
        await receiver.wait_for(30, within_s=15)
        assert sorted(one.body for one in receiver.received) == sorted(events)
        assert json.loads(receiver.received[0].body)["id"]


async def test_at_shutdown_requests_under_way_are_finished_and_recorded(
    webhooks_database: str,
    rabbit_vhost: str,
    source: EventSource,
    chat: ChatStandIn,
    database: "asyncpg.Connection[asyncpg.Record]",
    tmp_path: Path,
) -> None:
    async with Receiver() as receiver:
        only = Dispatcher(webhooks_database, rabbit_vhost, chat, tmp_path / "a")
        await only.start()
        webhook = await Api(only.url, "k").webhook(receiver.url, "poll.created")
        release = asyncio.Event()

        async def slowly(exchange: object) -> bool:
            await release.wait()
            return await answer(200)(exchange)  # type: ignore[arg-type]

        receiver.respond(slowly)
        await source.publish(make_event("workers", "poll.created"))
        await receiver.wait_for(1)
        stopped = asyncio.create_task(only.stop())
        await wait_for(lambda: "draining" in only.log, 5, "the drain to begin")
        release.set()
        assert await stopped == 0
        status = await database.fetchval(
            "select status from delivery where webhook_id = $1", UUID(webhook["id"])
        )
        assert status == "succeeded"
        assert await database.fetchval("select count(*) from worker_session") == 0
