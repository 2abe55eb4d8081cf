from collections.abc import AsyncIterator

import pytest

from tests.integration.chat_service.calling import Chat, Tenant, running_doors


@pytest.fixture(scope="module")
async def chat(chat_database: str) -> AsyncIterator[Chat]:
    async with running_doors(chat_database) as doors:
        yield doors


@pytest.fixture
async def tenant(chat: Chat) -> Tenant:
    return await chat.new_tenant()
