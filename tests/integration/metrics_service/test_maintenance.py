"""What keeps counting going for months: partitions, and a queue or a broker that comes back."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from chatsdk_contracts import topology
from chatsdk_contracts.ids import new_id
from chatsdk_runtime.partitions import DAYS_AHEAD, partition_days
from chatsdk_runtime.postgres import connect, transaction_on
from chatsdk_runtime.rabbit import BROKER_AWAY, Publisher
from metrics_service import store
from tests.fixtures.rabbitmq import RabbitServer
from tests.integration.metrics_service.running import (
    APP,
    Service,
    environment_of,
    get,
    new_channel,
    publish,
    running,
    stream,
)
from tests.waiting import wait_for


async def test_marks_are_kept_as_long_as_the_log_and_dropped_by_the_day(
    new_database: Callable[[str], str],
) -> None:
    connection = await connect(new_database("metrics"), application_name="test")
    today = datetime.now(UTC).date()
    try:
        days = await partition_days(connection, "counted_event")
        assert (days[0], days[-1]) == (
            today - timedelta(days=store.DAYS_KEPT),
            today + timedelta(days=DAYS_AHEAD),
        )
        oldest = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
        event_id = uuid.UUID(new_id(int(oldest.timestamp() * 1000)))
        async with transaction_on(connection) as tx:
            assert await store.mark_counted(tx, [event_id]) == {event_id}
            assert await store.mark_counted(tx, [event_id]) == set()
        assert await store.drop_old_partitions(connection, today=today) == []
        tomorrow = today + timedelta(days=1)
        async with transaction_on(connection) as tx:
            assert await store.make_partitions(tx, today=tomorrow) == 1
        assert await store.drop_old_partitions(connection, today=tomorrow) == [days[0]]
        assert await store.drop_old_partitions(connection, today=tomorrow) == []
        assert await partition_days(connection, "counted_event") == [one + timedelta(days=1) for one in days]
    finally:
        await connection.close()


async def test_positions_may_come_in_any_order_and_holes_hold_the_position(
    new_database: Callable[[str], str],
) -> None:
    connection = await connect(new_database("metrics"), application_name="test")
    try:
        for covered, expected in (
            ([store.Covered(3, 2, 4)], 0),
            ([store.Covered(3, 1, 1)], 4),
            ([store.Covered(3, 7, 7), store.Covered(3, 9, 9)], 4),
            ([store.Covered(3, 5, 6), store.Covered(3, 1, 3)], 7),
            ([store.Covered(3, 8, 8)], 9),
        ):
            async with transaction_on(connection) as tx:
                await store.cover(tx, covered)
            assert await store.positions(connection) == {3: expected}
    finally:
        await connection.close()


async def test_a_deleted_queue_and_a_closed_connection_are_survived(
    new_database: Callable[[str], str], new_vhost: Callable[[], str], rabbit_server: RabbitServer
) -> None:
    rabbit = new_vhost()
    async with running(environment_of(new_database("metrics"), rabbit)) as service:
        await publish(rabbit, stream(5))
        await wait_for(lambda: _messages_are(service, 4), what="the first messages")
        await asyncio.to_thread(rabbit_server.close_connections)
        await publish(rabbit, stream(5, first_pos=6, channel_id=new_channel()))
        await wait_for(lambda: _messages_are(service, 8), within_s=20, what="messages after the closing")
        publisher = await Publisher.open(rabbit, name="test")
        await publisher.channel.queue_delete(topology.METRICS_QUEUE)
        await publisher.close()
        await wait_for(lambda: _has_consumer(rabbit), within_s=20, what="the queue to be made again")
        await publish(rabbit, stream(5, first_pos=11, channel_id=new_channel()))
        await wait_for(lambda: _messages_are(service, 12), within_s=20, what="messages after the deletion")
        assert (await get(f"{service.ops_url}/live"))[0] == 200


async def _has_consumer(url: str) -> bool:
    looking = await Publisher.open(url, name="test-look")
    try:
        found = await looking.channel.queue_declare(topology.METRICS_QUEUE, passive=True)
    except BROKER_AWAY:
        return False
    finally:
        await looking.close()
    return bool(found.consumer_count)


async def _messages_are(service: Service, number: int) -> bool:
    value = await service.sample("chatsdk_messages_total", app_id=APP, channel_type="messaging")
    return value == number


async def test_a_parked_event_says_what_is_left_of_it_in_the_log(new_database: Callable[[str], str]) -> None:
    connection = await connect(new_database("metrics"), application_name="test")
    event_id = new_id()
    try:
        async with transaction_on(connection) as tx:
            for name, body in (("its own", f"said {event_id}"), ("another's", "said")):
                await store.park(tx, message_id=name, event_type="", reason="", body=body.encode())
            await store.redact_parked(tx, {event_id: b"left"}, 7)
        rows = await connection.fetch("select message_id, body from parked_event order by 1")
        assert [tuple(row) for row in rows] == [("another's", b"said"), ("its own", b"left")]
        assert await store.redactions_followed(connection) == 7
    finally:
        await connection.close()
