"""What each port answers: operations on the private one, on the public one in development only, `/internal` never."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.fixtures.dispatcher import SERVICE_TOKEN, free_port
from tests.fixtures.services import NewStack, ServiceProcess, Stack
from tests.waiting import wait_for

OPERATIONS = ("/metrics", "/health", "/health/detailed", "/ready", "/live")
INTERNAL = ("/internal/lanes", "/internal/events?lane=0&after=0&limit=1")
SERVICE = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
PRODUCTION = {"CHATSDK_ENV": "production"}


@pytest.fixture(scope="module")
async def production(new_stack: NewStack) -> AsyncIterator[Stack]:
    async with new_stack(chat=PRODUCTION, webhooks=PRODUCTION, metrics=PRODUCTION) as running:
        yield running


async def _status(url: str, headers: dict[str, str] | None = None) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status


def _processes(stack: Stack) -> list[ServiceProcess]:
    return [stack.chat, stack.dispatcher, stack.metrics]


@pytest.mark.parametrize("path", OPERATIONS)
async def test_in_development_both_ports_answer_operations_paths(stack: Stack, path: str) -> None:
    for process in _processes(stack):
        assert await _status(process.url + path) == 200, process.service
        assert await _status(process.ops_url + path) == 200, process.service


@pytest.mark.parametrize("path", [*OPERATIONS, "/log-level"])
async def test_in_production_the_public_port_knows_no_operations_path(production: Stack, path: str) -> None:
    for process in _processes(production):
        assert await _status(process.url + path) == 404, process.service
        assert await _status(process.ops_url + path) == 200, process.service


@pytest.mark.parametrize("path", INTERNAL)
async def test_the_log_is_for_our_services_on_the_private_port(
    stack: Stack, production: Stack, path: str
) -> None:
    for chat in (stack.chat, production.chat):
        assert await _status(chat.ops_url + path, SERVICE) == 200
        assert await _status(chat.ops_url + path) == 401
        assert await _status(chat.ops_url + path, {"Authorization": "Bearer wrong"}) == 401
        assert await _status(chat.url + path, SERVICE) == 404
        assert await _status(chat.url + path) == 404


async def test_introspection_is_for_our_services_on_the_private_port(stack: Stack) -> None:
    app = await stack.new_app()
    asked = {"apiKey": app.api_key}
    ops, public = (base + "/internal/introspect" for base in (stack.chat.ops_url, stack.chat.url))
    answered = await stack.caller.call("POST", ops, asked, SERVICE)
    assert (answered.status, answered.body["active"], answered.body["appId"]) == (200, True, app.app_id)
    assert (await stack.caller.call("POST", ops, asked)).status == 401
    assert (await stack.caller.call("POST", ops, asked, {"X-API-Key": app.api_key})).status == 401
    assert (await stack.caller.call("POST", public, asked, SERVICE)).status == 404


async def test_the_job_is_done_in_production_too(production: Stack) -> None:
    app = await production.new_app()
    channel = await app.channel("ann")
    assert (await app.send(channel, "ann", "hello")).status == 201


async def test_a_chat_service_without_its_database_says_that_it_is_starting(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.chat.environment["CHAT_DATABASE_URL"] = f"postgresql://chat:secret@127.0.0.1:{free_port()}/chat"
    try:
        await stack.chat.launch()
        await wait_for(lambda: _answers(stack.chat.ops_url + "/live"), 20, lambda: stack.chat.log)
        assert await _status(stack.chat.ops_url + "/ready") == 503
        assert await _status(stack.chat.ops_url + INTERNAL[0], SERVICE) == 503
    finally:
        await stack.close()


async def _answers(url: str) -> bool:
    try:
        return await _status(url) == 200
    except aiohttp.ClientError:
        return False
