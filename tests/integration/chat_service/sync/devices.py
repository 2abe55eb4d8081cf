"""What catching up needs of the service: doors that send, and a relay that numbers. `Device` is the client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
from prometheus_client import CollectorRegistry

from chat_service.events.relay import Relay, RelayTimes
from chat_service.instruments import RelayInstruments
from chat_service.routers import ROUTERS
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY
from chatsdk_runtime.rabbit import BROKER_AWAY
from chatsdk_runtime.web import new_app
from tests.fixtures.device import Device, without_quote
from tests.integration.chat_service.calling import Chat
from tests.integration.chat_service.channel_rows import running_writer
from tests.waiting import wait_for

__all__ = ["Device", "all_numbered", "numbering_doors", "without_quote"]


@asynccontextmanager
async def numbering_doors(doors: Chat, database: str) -> AsyncIterator[Chat]:
    """The doors with a writer, and with a relay that numbers; there is no broker, and none is needed."""
    relay = Relay(
        doors.resources.pool,
        direct_url=database,
        rabbitmq_url="amqp://127.0.0.1:1",
        times=RelayTimes(poll_s=0.02, lease_s=8.0),
        instruments=RelayInstruments(CollectorRegistry()),
        faults=FaultPoints(),
    )
    loops = BackgroundLoops(outages=(*DATABASE_AWAY, *BROKER_AWAY))
    async with running_writer(database) as writer:
        app = new_app(
            title="chat",
            version="0",
            instruments=RuntimeInstruments(CollectorRegistry()),
            max_body_bytes=262_144,
        )
        resources = replace(doors.resources, writer=writer, wake_relay=relay.wake)
        app.state.resources = resources
        for router in ROUTERS:
            app.include_router(router)
        loops.start("lead", relay.lead)
        loops.start("number", relay.number)
        transport = httpx2.ASGITransport(app=app)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://chat") as client:
                yield Chat(client, resources, [])
        finally:
            await loops.stop()
            await relay.resign()


async def all_numbered(chat: Chat) -> None:
    """Return when every committed event has its position."""

    async def none_waits() -> bool:
        return await chat.sql("select from event where lane_pos is null") == []

    await wait_for(none_waits, what="everything is numbered")
