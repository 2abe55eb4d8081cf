"""What /metrics and the probes show: the same everywhere, bounded, and steady while PostgreSQL is away."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial

import orjson

from chatsdk_contracts.catalogue import DURABLE_EVENT_TYPES
from tests.fixtures.postgres import PostgresServer
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
)
from tests.waiting import wait_for

BUSINESS = {
    "message.new": ("chatsdk_messages_total", {"app_id": APP, "channel_type": "team"}),
    "message.updated": ("chatsdk_messages_updated_total", {"app_id": APP}),
    "message.deleted": ("chatsdk_messages_deleted_total", {"app_id": APP}),
    "user.created": ("chatsdk_users_created_total", {"app_id": APP}),
    "reaction.added": ("chatsdk_reactions_added_total", {"app_id": APP}),
    "reaction.removed": ("chatsdk_reactions_removed_total", {"app_id": APP}),
    "workspace.created": ("chatsdk_workspaces_total", {"app_id": APP}),
    "poll.created": ("chatsdk_polls_created_total", {"app_id": APP}),
    "poll.voted": ("chatsdk_poll_votes_total", {"app_id": APP}),
    "upload.completed": ("chatsdk_uploads_total", {"app_id": APP, "content_kind": "image"}),
}
DATA = {"channel.created": {"type": "team"}, "upload.completed": {"contentType": "image/png"}}


async def test_every_durable_type_moves_its_series_by_one(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    rabbit = new_vhost()
    types = ["channel.created", *sorted(DURABLE_EVENT_TYPES - {"channel.created", "channel.deleted"})]
    events = [make_event(one, DATA.get(one)) for one in types]
    async with running(environment_of(new_database("metrics"), rabbit)) as service:
        await publish(rabbit, events)
        await wait_for(lambda: _counted(service, len(events)), what="every type counted")
        samples = await service.samples()
        for event in events:
            key = ("chatsdk_events_total", (("app_id", APP), ("event_type", event.type)))
            assert samples[key] == 1, event.type
        for event_type, (name, labels) in BUSINESS.items():
            expected = 0 if event_type == "workspace.created" else 1  # it was deleted again
            assert samples[name, tuple(sorted(labels.items()))] == expected, name
        assert samples["chatsdk_channels_total", (("app_id", APP), ("type", "team"))] == 1
        assert samples["chatsdk_channels_created_total", (("app_id", APP), ("type", "team"))] == 1
        assert samples["chatsdk_apps_total", ()] == 1


async def test_ephemeral_and_unknown_types_are_counted_and_never_fail(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    rabbit = new_vhost()
    typing = make_event("typing.start", {})
    newer = make_event("message.new", {})
    newer = type(newer)(
        newer.id,
        "tomorrow.came",
        newer.body.replace(b"message.new", b"tomorrow.came"),
        newer.subject,
        newer.app_id,
    )
    async with running(environment_of(new_database("metrics"), rabbit)) as service:
        await publish(rabbit, [typing, newer])
        await wait_for(lambda: _counted(service, 2), what="both counted")
        assert await service.sample("chatsdk_events_total", app_id=APP, event_type="typing.start") == 1
        assert await service.sample("chatsdk_events_total", app_id=APP, event_type="unknown") == 1


async def test_apps_beyond_the_bound_share_the_label_other(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    rabbit = new_vhost()
    environment = {**environment_of(new_database("metrics"), rabbit), "METRICS_MAX_APPS": "2"}
    async with running(environment) as service:
        for number in range(5):
            await publish(rabbit, stream(3, app_id=f"app-{number}", channel_id=new_channel()))
            await wait_for(partial(_counted, service, 3 * (number + 1)), what="the app counted")
        labels = {"channel_type": "messaging"}
        assert await service.sample("chatsdk_messages_total", app_id="app-0", **labels) == 2
        assert await service.sample("chatsdk_messages_total", app_id="app-1", **labels) == 2
        assert await service.sample("chatsdk_messages_total", app_id="app-2", **labels) is None
        assert await service.sample("chatsdk_messages_total", app_id="other", **labels) == 6
        assert await service.sample("chatsdk_apps_total") == 5


async def test_two_replicas_share_the_queue_and_show_the_same_totals(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    database, rabbit = new_database("metrics"), new_vhost()
    environment = environment_of(database, rabbit)
    async with running(environment) as one, running(environment) as two:
        await publish(rabbit, stream(2_000))
        await wait_for(lambda: _messages_are(one, 1_999), what="everything counted")
        assert await _messages_are(two, 1_999)
        assert await one.stop() == 0
        assert await _messages_are(two, 1_999)


async def test_a_scrape_while_postgresql_is_away_shows_the_last_known_totals(
    new_database: Callable[[str], str], new_vhost: Callable[[], str], postgres_server: PostgresServer
) -> None:
    rabbit = new_vhost()
    async with running(environment_of(new_database("metrics"), rabbit)) as service:
        await publish(rabbit, stream(10))
        await wait_for(lambda: _messages_are(service, 9), what="the messages counted")
        postgres_server.stop()
        try:
            assert await _messages_are(service, 9)
            assert await service.sample("chatsdk_rollups_stale") == 1
            assert (await get(f"{service.ops_url}/ready"))[0] == 503
            assert (await get(f"{service.ops_url}/live"))[0] == 200
            await publish(rabbit, stream(10, first_pos=11, channel_id=new_channel()))
        finally:
            postgres_server.start()
        await wait_for(lambda: _messages_are(service, 18), within_s=20, what="counting to go on")
        assert await service.sample("chatsdk_rollups_stale") == 0


async def test_operations_paths_are_on_the_public_port_in_development_only(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    environment = environment_of(new_database("metrics"), new_vhost())
    paths = ("/metrics", "/health", "/health/detailed", "/ready", "/live")
    async with running(environment) as service:
        assert [(await get(service.url + path))[0] for path in paths] == [200] * 5
        assert [(await get(service.ops_url + path))[0] for path in paths] == [200] * 5
    async with running({**environment, "CHATSDK_ENV": "production"}) as service:
        assert [(await get(service.url + path))[0] for path in paths] == [404] * 5
        assert [(await get(service.ops_url + path))[0] for path in paths] == [200] * 5


async def test_an_app_reads_its_own_totals(
    new_database: Callable[[str], str], new_vhost: Callable[[], str]
) -> None:
    rabbit = new_vhost()
    async with chat_log() as (log, chat_url):
        log.keys |= {"key-of-app-one": APP, "reader": APP, "writer": APP}
        log.scopes |= {"reader": ["metrics:read"], "writer": ["chat:write"]}
        async with running(environment_of(new_database("metrics"), rabbit, chat_url)) as service:
            await publish(rabbit, stream(5))
            await wait_for(lambda: _messages_are(service, 4), what="the messages counted")
            url = f"{service.url}/api/metrics/totals"
            status, body = await get(url, {"X-API-Key": "key-of-app-one"})
            assert status == 200
            assert orjson.loads(body) == {
                "appId": APP,
                "totals": {
                    "channels": {"messaging": 1},
                    "channels_created": {"messaging": 1},
                    "events": {"channel.created": 1, "message.new": 4},
                    "messages": {"messaging": 4},
                },
            }
            status, body = await get(url, {"X-API-Key": "another"})
            assert (status, orjson.loads(body)["error"]["code"]) == (401, "unauthorized")
            assert (await get(url))[0] == 401
            assert (await get(url, {"X-API-Key": "reader"}))[0] == 200
            status, body = await get(url, {"X-API-Key": "writer"})
            assert (status, orjson.loads(body)["error"]["code"]) == (403, "scope_missing")


async def test_a_process_without_its_schema_waits_and_says_what_to_do(
    postgres_server: PostgresServer, new_vhost: Callable[[], str]
) -> None:
    database = postgres_server.create_database("metrics_without_schema")
    environment = environment_of(database, new_vhost())
    service = Service(environment)
    service.start()
    try:
        answer = await wait_for(lambda: _not_ready(service), within_s=20, what="an answer")
        assert b"python -m metrics_service migrate" in answer
        command = [sys.executable, "-m", "metrics_service", "migrate"]
        migration = await asyncio.create_subprocess_exec(*command, env=service.environment)
        assert await migration.wait() == 0
        await service.started()
        assert await service.stop() == 0
    finally:
        if service.process is not None and service.process.poll() is None:
            service.process.kill()
            service.process.wait()
        postgres_server.drop_database("metrics_without_schema")


async def _not_ready(service: Service) -> bytes:
    try:
        status, body = await get(f"{service.ops_url}/ready")
    except OSError:
        return b""
    return body if status == 503 and b"schema" in body else b""


async def _counted(service: Service, number: int) -> bool:
    return (await service.sample("chatsdk_counting_events_total", outcome="counted") or 0) >= number


async def _messages_are(service: Service, number: int) -> bool:
    value = await service.sample("chatsdk_messages_total", app_id=APP, channel_type="messaging")
    return value == number
