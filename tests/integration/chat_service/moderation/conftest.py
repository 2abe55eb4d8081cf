"""The doors of this folder can send, and what they commit gets its position."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.chat_service.calling import Chat, Tenant, running_doors
from tests.integration.chat_service.moderation.floor import Floor, a_floor
from tests.integration.chat_service.sync.devices import numbering_doors


@pytest.fixture(scope="module")
async def chat(chat_database: str) -> AsyncIterator[Chat]:
    async with running_doors(chat_database) as doors, numbering_doors(doors, chat_database) as numbering:
        yield numbering


@pytest.fixture
async def floor(tenant: Tenant) -> Floor:
    return await a_floor(tenant)
