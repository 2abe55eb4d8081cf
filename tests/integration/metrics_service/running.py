"""The metrics service as a process, events to publish to it, and chat's private port to stand in for chat."""

import asyncio
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
import orjson
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from chatsdk_contracts import topology
from chatsdk_contracts.catalogue import EVENTS
from chatsdk_contracts.envelope import Envelope, encode_with_data
from chatsdk_contracts.ids import AppId, ChannelId, EventId, new_id
from chatsdk_runtime.rabbit import OutgoingMessage, Publisher, declare
from tests.waiting import wait_for

SERVICE_TOKEN = "service-token-of-the-tests"
APP = "app-one"
CHANNEL = "0199f3a1-0000-7000-8000-000000000002"


@dataclass(frozen=True)
class Stored:
    """An event with its place in the log."""

    id: str
    type: str
    body: bytes
    subject: str
    app_id: str
    lane: int | None = None
    pos: int | None = None


def make_event(
    event_type: str,
    data: Mapping[str, Any] | None = None,
    *,
    app_id: str = APP,
    subject: str = f"channels/{CHANNEL}",
    pos: int | None = None,
) -> Stored:
    """An event of a known type with hand-made data."""
    event_id = new_id()
    kind, _, aggregate_id = subject.partition("/")
    envelope = Envelope(
        id=EventId(event_id),
        appid=AppId(app_id),
        subject=subject,
        time=datetime.now(UTC),
        epoch=1,
        channelid=ChannelId(aggregate_id) if kind == "channels" else None,
    )
    body = encode_with_data(EVENTS[event_type], envelope, orjson.dumps(dict(data or {})))
    lane = topology.lane_of(subject) if pos is not None else None
    return Stored(event_id, event_type, body, subject, app_id, lane, pos)


def stream(count: int, *, first_pos: int = 1, app_id: str = APP, channel_id: str = CHANNEL) -> list[Stored]:
    """A channel's creation and its messages, `count` events in all, in one lane."""
    subject = f"channels/{channel_id}"
    created = make_event(
        "channel.created",
        {"id": channel_id, "type": "messaging"},
        app_id=app_id,
        subject=subject,
        pos=first_pos,
    )
    return [
        created,
        *(
            make_event("message.new", {"text": "x"}, app_id=app_id, subject=subject, pos=first_pos + number)
            for number in range(1, count)
        ),
    ]


async def publish(url: str, events: Sequence[Stored]) -> None:
    """Publish as chat's relay does."""
    publisher = await Publisher.open(url, name="test-publisher")
    try:
        await declare(publisher.channel, topology.definitions())
        outcome = await publisher.publish(
            topology.EVENTS_EXCHANGE,
            [
                OutgoingMessage(
                    routing_key=topology.routing_key(one.type, one.app_id, one.subject),
                    body=one.body,
                    message_id=one.id,
                    type=one.type,
                    headers={} if one.pos is None else {"lane": one.lane, "lane-pos": one.pos},
                )
                for one in events
            ],
            window=200,
        )
        assert outcome.confirmed == len(events), outcome
    finally:
        await publisher.close()


async def waiting_in(url: str, queue: str) -> int:
    """How many messages wait in a queue, by a passive declaration."""
    publisher = await Publisher.open(url, name="test-count")
    try:
        answer = await publisher.channel.queue_declare(queue, passive=True)
        return int(answer.message_count or 0)
    finally:
        await publisher.close()


@dataclass
class ChatLog:
    """Chat's private port: lanes, events and keys, over real HTTP."""

    lanes: dict[int, list[Stored]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    scopes: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, events: Sequence[Stored]) -> None:
        for one in events:
            assert one.lane is not None
            self.lanes.setdefault(one.lane, []).append(one)

    def published(self, lane: int) -> int:
        return max((one.pos or 0 for one in self.lanes.get(lane, ())), default=0)

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {SERVICE_TOKEN}":
            return web.json_response({}, status=401)
        self.asked.append(request.path)
        if request.path == "/internal/lanes":
            lanes = [
                {"lane": lane, "nextPos": self.published(lane) + 1, "publishedPos": self.published(lane)}
                for lane in range(topology.LANES)
            ]
            return web.json_response({"epoch": 1, "lanes": lanes})
        if request.path == "/internal/introspect":
            key = (await request.json()).get("apiKey", "")
            app_id, scopes = self.keys.get(key), self.scopes.get(key, [])
            known = {"active": True, "kind": "api_key", "appId": app_id, "scopes": scopes}
            return web.json_response(known if app_id else {"active": False})
        lane, after = int(request.query["lane"]), int(request.query["after"])
        page = [one for one in self.lanes.get(lane, ()) if (one.pos or 0) > after][
            : int(request.query["limit"])
        ]
        covers = page[-1].pos if page else self.published(lane)
        events = [{"pos": one.pos, "body": one.body.decode()} for one in page]
        return web.json_response(
            {"events": events, "nextAfter": covers, "publishedPos": self.published(lane)}
        )


@asynccontextmanager
async def chat_log() -> AsyncIterator[tuple[ChatLog, str]]:
    """Chat's private port and its URL."""
    log = ChatLog()
    application = web.Application()
    application.router.add_route("*", "/internal/{rest:.*}", log.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield log, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def free_ports(number: int) -> list[int]:
    """Ports on 127.0.0.1 that nothing listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Service:
    """One process of `python -m metrics_service serve`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.port, self.ops_port = free_ports(2)
        self.environment = {
            **os.environ,
            **environment,
            "METRICS_PORT": str(self.port),
            "METRICS_OPS_PORT": str(self.ops_port),
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ops_url(self) -> str:
        return f"http://127.0.0.1:{self.ops_port}"

    def start(self, **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "metrics_service", "serve"], env={**self.environment, **more}
        )

    async def started(self) -> None:
        await wait_for(self.is_ready, within_s=30, what="the metrics service to be ready")

    async def is_ready(self) -> bool:
        try:
            return (await get(f"{self.ops_url}/ready"))[0] == 200
        except aiohttp.ClientError:
            return False

    async def ended(self) -> int:
        process = self.process
        assert process is not None
        await wait_for(lambda: process.poll() is not None, within_s=30, what="the process to end")
        return int(process.returncode)

    async def stop(self) -> int:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
        return await self.ended()

    async def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample on /metrics by name and labels."""
        _, body = await get(f"{self.ops_url}/metrics")
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    async def sample(self, name: str, **labels: str) -> float | None:
        """One sample of /metrics."""
        return (await self.samples()).get((name, tuple(sorted(labels.items()))))


async def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """One GET."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.read()


def environment_of(database: str, rabbit: str, chat_url: str = "http://127.0.0.1:1") -> dict[str, str]:
    """What the service's process needs."""
    return {
        "CHATSDK_ENV": "development",
        "CHATSDK_SERVICE_TOKEN": SERVICE_TOKEN,
        "CHATSDK_MASTER_KEYS": "tests:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "CHATSDK_DRAIN_TIMEOUT_S": "3",
        "LOG_LEVEL": "warning",
        "METRICS_DATABASE_URL": database,
        "RABBITMQ_URL": rabbit,
        "CHAT_INTERNAL_URL": chat_url,
        "METRICS_RECONCILE_INTERVAL_S": "0.2",
        "METRICS_RECONCILE_GRACE_S": "0.1",
    }


@asynccontextmanager
async def running(environment: Mapping[str, str], **more: str) -> AsyncIterator[Service]:
    """A service that is ready; killed at the end."""
    service = Service(environment)
    service.start(**more)
    try:
        await service.started()
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.process.kill()
        if service.process is not None:
            await asyncio.to_thread(service.process.wait)


async def total(database: str, series: str, label: str = "", app_id: str = APP) -> int:
    """One exact total, straight from the database."""
    connection = await asyncpg.connect(database)
    try:
        value = await connection.fetchval(
            "select value from business_total where series = $1 and app_id = $2 and label = $3",
            series,
            app_id,
            label,
        )
        return int(value or 0)
    finally:
        await connection.close()


def new_channel() -> str:
    """A channel id of one's own."""
    return str(uuid.UUID(new_id()))
