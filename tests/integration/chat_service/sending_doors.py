"""The doors of `calling`, with those of messages and a running writer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
from fastapi import FastAPI

from chat_service.messages import api as messages_api
from tests.integration.chat_service.calling import Chat, running_doors
from tests.integration.chat_service.channel_rows import running_writer


@asynccontextmanager
async def doors_that_send(database: str) -> AsyncIterator[Chat]:
    """Everything that a part needs whose calls send messages."""
    async with running_doors(database) as chat, running_writer(database) as writer:
        transport = chat.client._transport
        assert isinstance(transport, httpx2.ASGITransport)
        app = transport.app
        assert isinstance(app, FastAPI)
        app.state.resources = replace(chat.resources, writer=writer)
        app.include_router(messages_api.router)
        yield replace(chat, resources=app.state.resources)
