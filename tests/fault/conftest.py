"""One supervised stack for all fault tests of a module, as an operator's machine would have it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fault.loads import Load, prepared_load
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.services import NewStack, Stack


@pytest.fixture(scope="session")
async def supervised(new_stack: NewStack) -> AsyncIterator[Stack]:
    """A running stack in which whatever dies comes back by itself."""
    async with new_stack() as running:
        running.supervise()
        yield running


@pytest.fixture
async def load(supervised: Stack, rabbit_server: RabbitServer, tmp_path: Path) -> AsyncIterator[Load]:
    """An app with a webhook, ready to be sent to."""
    async with prepared_load(supervised, rabbit_server, tmp_path) as ready:
        yield ready
