"""Fixtures of search: doors that send, and a room."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.chat_service.calling import Chat, Tenant
from tests.integration.chat_service.search.room import Room
from tests.integration.chat_service.sending_doors import doors_that_send


@pytest.fixture(scope="module")
async def chat(chat_database: str) -> AsyncIterator[Chat]:
    async with doors_that_send(chat_database) as doors:
        yield doors


@pytest.fixture
async def room(tenant: Tenant) -> Room:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    made = await ann.channel(type="group", name="lunch", memberIds=["bob"])
    return Room(tenant, ann, bob, eve, made["id"])
