"""Whole chat services in this process, on a real database and broker, and sockets to them without a network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson

from chat_service import app as chat_app
from chat_service.app import ChatApps
from chat_service.realtime.session import Realtime, Session
from chat_service.settings import ChatSettings
from chatsdk_runtime.logging import LogLevel
from tests.fixtures.socket_client import SocketClient
from tests.integration.chat_service.calling import ADMIN_TOKEN, MASTER_KEYS, Chat


@dataclass
class Replica:
    """One of them: its HTTP doors, and what its sockets share."""

    chat: Chat
    apps: ChatApps
    realtime: Realtime

    def sample(self, name: str, **labels: str) -> float:
        """The value of one of its metrics."""
        return self.apps.health.registry.get_sample_value(name, labels) or 0.0

    async def die(self) -> None:
        """Do nothing any more, as if killed: what it wrote stays, nobody renews it."""
        await self.apps.health.loops.stop()


@dataclass(repr=False)
class DirectClient(SocketClient):
    """A client whose frames go to a replica by hand."""

    replica: Replica | None = None
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    _session_here: Session | None = None

    async def connect(self, **fields: Any) -> None:
        """Say who we are."""
        assert self.replica is not None
        session = Session(self.replica.realtime, self.replica.chat.resources, self._hear)
        text = orjson.dumps({"type": "connect", "id": 0, "token": self.token, **fields}).decode()
        await session.connect(text, None)
        assert session.connection is not None, self.frames
        self._tasks = [asyncio.create_task(session.connection.run_writer())]
        self._session_here = session
        await session.begin(text)

    async def disconnect(self) -> None:
        """Go away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session_here is not None:
            await self._session_here.end()
            self._session_here = None

    async def say(self, kind: str, **fields: Any) -> int:
        """Send a frame; returns its number."""
        assert self._session_here is not None
        self._numbers += 1
        await self._session_here.take(orjson.dumps({"type": kind, "id": self._numbers, **fields}).decode())
        return self._numbers

    async def _hear(self, text: str) -> None:
        for line in text.split("\n"):
            told = orjson.loads(line)
            self._take(told)
            if told["type"] == "heartbeat":
                # Whoever has less would take it for a gap.
                behind = {one: cv for one, cv in told["heads"].items() if cv > self.seen.get(one, cv)}
                self.faults += [f"{one}: a heartbeat says {cv}" for one, cv in behind.items()]


@asynccontextmanager
async def running_replica(database: str, broker: str, **settings: Any) -> AsyncIterator[Replica]:
    """A composed service with all of its loops."""
    wanted = ChatSettings.model_validate(
        {
            "given_database_url": database,
            "rabbitmq_url": broker,
            "service_token": "service-token-of-the-tests",
            "master_keys": MASTER_KEYS,
            "admin_token": ADMIN_TOKEN,
            "environment": "development",
            "uploads_url": "memory:///",
            **settings,
        }
    )
    async with AsyncExitStack() as stack:
        apps = await chat_app.compose(wanted, LogLevel("info"), stack)
        await stack.enter_async_context(apps.public.router.lifespan_context(apps.public))
        client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=apps.public), base_url="http://chat")
        )
        state = apps.public.state
        yield Replica(Chat(client, state.resources, []), apps, state.realtime)


def socket_to(replica: Replica, token: str) -> DirectClient:
    """A client that is not connected yet."""
    return DirectClient("", token, replica=replica)
