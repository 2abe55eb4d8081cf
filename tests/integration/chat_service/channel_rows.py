"""Rows that sends need, written straight into the database: an app, users, channels with members."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
from prometheus_client import CollectorRegistry

from chat_service.instruments import ChatInstruments
from chat_service.messages.rules import ScreenedSend, Send
from chat_service.messages.writer import MessageWriter
from chatsdk_contracts.ids import AppId, ChannelId, UserId, new_id
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, open_pool
from chatsdk_runtime.rabbit import BROKER_AWAY


async def an_app(pool: Pool, users: Sequence[str]) -> AppId:
    """An app with these users."""
    app_id, now = new_id(), datetime.now(UTC)
    await pool.execute(
        "insert into app (id, name, token_secret_key_id, token_secret, created_at, updated_at)"
        " values ($1, 'tests', 'k', 's', $2, $2)",
        UUID(app_id),
        now,
    )
    for user in users:
        await pool.execute(
            "insert into app_user (app_id, id, created_at, updated_at) values ($1, $2, $3, $3)",
            UUID(app_id),
            user,
            now,
        )
    return AppId(app_id)


async def a_channel(pool: Pool, app_id: AppId, members: Sequence[str]) -> ChannelId:
    """A group channel with these members."""
    channel_id, now = new_id(), datetime.now(UTC)
    await pool.execute(
        "insert into channel (id, app_id, type, created_at, updated_at) values ($1, $2, 'group', $3, $3)",
        UUID(channel_id),
        UUID(app_id),
        now,
    )
    for member in members:
        await pool.execute(
            "insert into channel_member (channel_id, user_id, app_id, role, joined_at)"
            " values ($1, $2, $3, 'member', $4)",
            UUID(channel_id),
            member,
            UUID(app_id),
            now,
        )
    return ChannelId(channel_id)


def a_send(
    app_id: AppId, channel_id: ChannelId, client_id: str, text: str = "hello", user: str = "ann"
) -> ScreenedSend:
    """One plain send, as if the gate had seen it."""
    send = Send(
        app_id=app_id,
        channel_id=channel_id,
        user_id=UserId(user),
        client_msg_id=client_id,
        text=text,
        attachments=[],
        custom={},
        parent_id=None,
        reply_to_id=None,
        silent=False,
        request_hash=hashlib.sha256(text.encode()).digest(),
        traceparent=None,
    )
    return ScreenedSend(send)


@asynccontextmanager
async def running_writer(
    database: str, *, writers: int = 2, queue_limit: int = 2_000, registry: CollectorRegistry | None = None
) -> AsyncIterator[MessageWriter]:
    """A message writer with its loops."""
    writer = MessageWriter(
        database,
        writers=writers,
        queue_limit=queue_limit,
        epoch=1,
        wake_relay=lambda: None,
        instruments=ChatInstruments(registry or CollectorRegistry()),
        faults=FaultPoints(),
    )
    loops = BackgroundLoops(outages=(*DATABASE_AWAY, *BROKER_AWAY))
    for number, lane in enumerate(writer.lanes):
        loops.start(f"writer-{number}", lane.run)
    try:
        yield writer
    finally:
        await loops.stop()


@asynccontextmanager
async def a_pool(database: str) -> AsyncIterator[Pool]:
    """A small pool."""
    pool = await open_pool(database, application_name="tests", min_size=0, max_size=6)
    try:
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), timeout=5)


async def rows(pool: Pool, statement: str, *values: object) -> list[asyncpg.Record]:
    """What a statement finds."""
    return await pool.fetch(statement, *values)
