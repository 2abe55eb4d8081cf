"""The chat service's doors in this process on a real database, and callers of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import orjson
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from chat_service.auth.verifier import TokenVerifier
from chat_service.events.control import ControlChannel
from chat_service.events.ephemeral import EphemeralChannel
from chat_service.imports.api import body_limit
from chat_service.instruments import ChatInstruments, LimitInstruments
from chat_service.limits.limiter import Limiter
from chat_service.presence.telling import PresenceTeller
from chat_service.resources import Resources
from chat_service.routers import ROUTERS
from chat_service.screening.gate import Gate
from chat_service.settings import ChatSettings
from chat_service.strangers import Strangers
from chat_service.typists.ledger import Typists
from chat_service.uploads.api import body_limits
from chat_service.uploads.depot import Depot
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.postgres import Pool, open_pool
from chatsdk_runtime.web import new_app
from tests.integration.chat_service.channel_rows import running_writer

ADMIN_TOKEN = "admin-token-of-the-tests"
MASTER_KEYS = "tests:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@dataclass
class Chat:
    """The running doors: `call` as anybody, `database` to look behind them."""

    client: httpx2.AsyncClient
    resources: Resources
    wakes: list[int]

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        content = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        return await self.client.request(
            method, path, content=content, headers={"Content-Type": "application/json", **(headers or {})}
        )

    async def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        return await self.resources.pool.fetch(statement, *values)

    async def new_tenant(self, name: str = "tenant") -> "Tenant":
        made = (await self.call("POST", "/admin/apps", {"name": name}, headers=ADMIN)).json()
        return Tenant(self, made["id"], made["apiKey"])


@dataclass
class Tenant:
    """An app and its server's calls."""

    chat: Chat
    id: str
    key: str

    async def server(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.chat.call(method, path, body, headers={"X-API-Key": self.key, **named})

    async def limited(self, *scopes: str) -> "Tenant":
        """The same app with another key, of these scopes (none: all rights)."""
        body = {"scopes": list(scopes)} if scopes else {}
        made = await self.server("POST", "/api/app/keys", body)
        assert made.status_code == 201, made.text
        return Tenant(self.chat, self.id, made.json()["apiKey"])

    async def token(self, user_id: str, **wish: Any) -> "Caller":
        """The user with a token of their own."""
        minted = await self.server("POST", "/api/auth/tokens", {"userId": user_id, **wish})
        assert minted.status_code == 201, minted.text
        return Caller(self.chat, user_id, minted.json()["token"])

    async def user(self, user_id: str, **fields: Any) -> "Caller":
        await self.server("POST", "/api/users/ensure", {"userId": user_id, **fields})
        minted = (await self.server("POST", "/api/auth/tokens", {"userId": user_id})).json()
        return Caller(self.chat, user_id, minted["token"])

    async def users(self, *user_ids: str) -> list["Caller"]:
        return [await self.user(user_id) for user_id in user_ids]

    async def events(self, subject: str) -> list[dict[str, Any]]:
        """The log about one subject, in the order of its versions."""
        rows = await self.chat.sql("select body from event where subject = $1 order by version, id", subject)
        return [orjson.loads(row["body"]) for row in rows]


@dataclass
class Caller:
    """A user's own calls."""

    chat: Chat
    id: str
    token: str

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = {"Authorization": f"Bearer {self.token}"}
        return await self.chat.call(method, path, body, headers={**bearer, **named})

    async def channel(self, **fields: Any) -> dict[str, Any]:
        response = await self.call("POST", "/api/channels", fields)
        assert response.status_code in {200, 201}, response.text
        made: dict[str, Any] = response.json()
        return made


@asynccontextmanager
async def running_doors(
    database: str,
    *,
    admin_token: str | None = ADMIN_TOKEN,
    control: ControlChannel | None = None,
    uploads_url: str = "memory:///",
    **settings_given: object,
) -> AsyncIterator[Chat]:
    """The public routes of this part over the given database."""
    environment = {
        "given_database_url": database,
        "rabbitmq_url": "amqp://127.0.0.1:1",
        "service_token": "service-token-of-the-tests",
        "master_keys": MASTER_KEYS,
        "admin_token": admin_token,
        "environment": "development",
        "uploads_url": uploads_url,
        "outgoing_allowed_networks": "127.0.0.0/8",
        "hook_allow_http": True,
        **settings_given,
    }
    wakes: list[int] = []
    keyring = Keyring.parse(MASTER_KEYS)
    pool = await open_pool(database, application_name="tests", min_size=1, max_size=8)
    settings = ChatSettings.model_validate(environment)
    instruments = ChatInstruments(CollectorRegistry())
    ephemeral = EphemeralChannel("amqp://127.0.0.1:1", instruments.ephemeral)
    strangers = Strangers.open(settings)
    # A machine that is busy with other things must not look like an outage of what is counted in the database.
    async with running_writer(database) as writer, running_limiter(pool, answer_s=10.0) as limiter:
        resources = Resources(
            settings=settings,
            pool=pool,
            keyring=keyring,
            epoch=1,
            tokens=TokenVerifier(pool, keyring),
            control=control or ControlChannel("amqp://127.0.0.1:1", 1),
            wake_relay=lambda: wakes.append(1),
            writer=writer,
            depot=Depot.open(settings, instruments.files),
            typists=Typists(ephemeral, instruments.presence, epoch=1, lifetime_s=settings.typing_lifetime_s),
            presence=PresenceTeller(ephemeral, instruments.presence, epoch=1),
            limiter=limiter,
            screening=Gate.open(settings, pool, keyring, strangers.hooks, instruments.screening),
        )
        transport = httpx2.ASGITransport(app=_public(resources))
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://chat") as client:
                yield Chat(client, resources, wakes)
        finally:
            await strangers.close()
            await pool.close()


@asynccontextmanager
async def running_limiter(pool: Pool, **chosen: Any) -> AsyncIterator[Limiter]:
    """A limiter that asks the database; `registry` has its series."""
    registry = chosen.pop("registry", None) or CollectorRegistry()
    limiter = Limiter(pool, LimitInstruments(registry), **chosen)
    running = asyncio.create_task(limiter.run(Heartbeat("rate-limits", 60.0)))
    try:
        yield limiter
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _public(resources: Resources) -> FastAPI:
    """The application of these resources."""
    app = new_app(
        title="chat",
        version="0",
        instruments=RuntimeInstruments(CollectorRegistry()),
        max_body_bytes=262_144,
        larger_bodies=[*body_limits(resources.depot.limits), body_limit(resources.settings.import_bytes)],
    )
    app.state.resources = resources
    for router in ROUTERS:
        app.include_router(router)
    return app


async def waiting_for_locks(chat: Chat) -> int:
    """How many connections to the database wait for a lock now."""
    statement = """
        select count(*) as number from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'
    """
    return int((await chat.sql(statement))[0]["number"])


def problems(response: httpx2.Response) -> dict[str, str]:
    """The paths that an answer complains about, with their codes."""
    return {problem["path"]: problem["code"] for problem in response.json()["error"].get("details", [])}


def error_code(response: httpx2.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code
