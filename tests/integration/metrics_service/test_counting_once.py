"""Every event is counted exactly once: repeats, kills, and what the queue lost change nothing."""

from collections.abc import Callable

from chatsdk_contracts import topology
from tests.integration.metrics_service.running import (
    APP,
    Service,
    chat_log,
    environment_of,
    get,
    make_event,
    new_channel,
    publish,
    running,
    stream,
    total,
    waiting_in,
)
from tests.waiting import wait_for


async def test_the_same_500_events_again_leave_the_totals_equal(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    database, rabbit = new_database("metrics"), new_vhost()
    events = stream(500)
    async with running(environment_of(database, rabbit)) as service:
        await publish(rabbit, events)
        await wait_for(lambda: _counted(service, 500), what="500 events counted")
        assert await service.sample("chatsdk_messages_total", app_id=APP, channel_type="messaging") == 499
        await publish(rabbit, events)
        await wait_for(lambda: _repeated(service, 500), what="500 repeats dropped")
        assert await service.sample("chatsdk_messages_total", app_id=APP, channel_type="messaging") == 499
        assert await service.sample("chatsdk_channels_total", app_id=APP, type="messaging") == 1
        assert await service.sample("chatsdk_events_total", app_id=APP, event_type="message.new") == 499
    assert await waiting_in(rabbit, topology.dead_letter_queue(topology.METRICS_QUEUE)) == 0


async def test_a_kill_between_commit_and_acknowledgement_counts_nothing_twice(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    database, rabbit = new_database("metrics"), new_vhost()
    events = stream(1_200)
    service = Service(environment_of(database, rabbit))
    await publish(rabbit, events)
    for passing in (1, 2, 1):
        service.start(CHATSDK_FAULT_POINTS=f"rollup.committed:{passing}")
        assert await service.ended() == -9
    before = await total(database, "messages", "messaging")
    assert 0 < before < 1_199
    async with running(environment_of(database, rabbit)) as last:
        await wait_for(lambda: _total_is(database, 1_199), what=lambda: "all messages counted", within_s=20)
        await wait_for(lambda: _drained(rabbit), what="the queue to be empty")
        assert await last.sample("chatsdk_messages_total", app_id=APP, channel_type="messaging") == 1_199
    assert await waiting_in(rabbit, topology.dead_letter_queue(topology.METRICS_QUEUE)) == 0


async def test_what_the_queue_lost_is_fetched_from_the_log(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    database, rabbit = new_database("metrics"), new_vhost()
    events = stream(700)
    async with chat_log() as (log, chat_url):
        log.add(events)
        async with running(environment_of(database, rabbit, chat_url)) as service:
            await publish(rabbit, [*events[:100], *events[400:420]])
            await wait_for(lambda: _total_is(database, 699), what="all messages counted")
            # What the queue brought may have been read from the log first; what it lost can only come from there.
            assert (await service.sample("chatsdk_counting_reconciled_total") or 0) >= 580
            assert await service.sample("chatsdk_channels_total", app_id=APP, type="messaging") == 1


async def test_messages_of_a_channel_that_is_not_known_yet_are_placed_when_it_is(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    database, rabbit = new_database("metrics"), new_vhost()
    created, *messages = stream(11, channel_id=new_channel())
    async with running(environment_of(database, rabbit)) as service:
        await publish(rabbit, messages)
        await wait_for(lambda: _counted(service, 10), what="10 messages counted")
        assert await service.sample("chatsdk_messages_total", app_id=APP, channel_type="unknown") == 10
        await publish(rabbit, [created])
        await wait_for(lambda: _counted(service, 11), what="the channel counted")
        assert await service.sample("chatsdk_messages_total", app_id=APP, channel_type="messaging") == 10
        assert await service.sample("chatsdk_messages_total", app_id=APP, channel_type="unknown") == 0


async def test_an_undecodable_message_is_dead_lettered_at_once_with_a_metric(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    database, rabbit = new_database("metrics"), new_vhost()
    good = stream(3)
    broken = make_event("message.new", {})
    broken = type(broken)(broken.id, broken.type, b"\xff{not json", broken.subject, broken.app_id)
    async with running(environment_of(database, rabbit)) as service:
        await publish(rabbit, [good[0], broken, *good[1:]])
        await wait_for(lambda: _counted(service, 3), what="the good ones counted")
        dead = topology.dead_letter_queue(topology.METRICS_QUEUE)
        await wait_for(lambda: _waiting(rabbit, dead), what="the broken one among the dead letters")
        refused = await service.sample(
            "chatsdk_broker_messages_consumed_total", queue=topology.METRICS_QUEUE, outcome="undecodable"
        )
        assert refused == 1


async def test_an_event_of_a_day_without_marks_is_parked_and_the_rest_is_counted(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    database, rabbit = new_database("metrics"), new_vhost()
    good = stream(3)
    odd = make_event("message.new", {})
    ancient = "01000000-0000-7000-8000-000000000001"
    body = odd.body.replace(odd.id.encode(), ancient.encode())
    async with running(environment_of(database, rabbit)) as service:
        await publish(
            rabbit, [good[0], type(odd)(ancient, odd.type, body, odd.subject, odd.app_id), *good[1:]]
        )
        await wait_for(lambda: _counted(service, 3), what="the good ones counted")
        await wait_for(lambda: _drained(rabbit), what="the queue to be empty")
        assert await service.sample("chatsdk_counting_parked_total") == 1
        assert (await get(f"{service.url}/live"))[0] == 200


async def _counted(service: Service, number: int) -> bool:
    return (await service.sample("chatsdk_counting_events_total", outcome="counted") or 0) >= number


async def _repeated(service: Service, number: int) -> bool:
    return (await service.sample("chatsdk_counting_events_total", outcome="repeated") or 0) >= number


async def _total_is(database: str, number: int) -> bool:
    return await total(database, "messages", "messaging") == number


async def _waiting(rabbit: str, queue: str) -> bool:
    return await waiting_in(rabbit, queue) == 1


async def _drained(rabbit: str) -> bool:
    return await waiting_in(rabbit, topology.METRICS_QUEUE) == 0
