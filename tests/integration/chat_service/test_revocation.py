"""Revoked tokens and keys: at once here, at once elsewhere through the broker, within seconds without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest

from chat_service.auth.introspection import introspect
from chat_service.auth.revocation import Revocation, heard
from chat_service.auth.store import forget_revoked
from chat_service.events.control import ControlChannel
from chatsdk_contracts.control import ControlEvent, SettingsChanged
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import reading, transaction
from chatsdk_runtime.rabbit import BROKER_AWAY
from tests.fixtures.rabbitmq import RabbitServer
from tests.integration.chat_service.calling import (
    Caller,
    Chat,
    Tenant,
    error_code,
    problems,
    running_doors,
    waiting_for_locks,
)
from tests.waiting import wait_for

REVOKE = "/api/auth/tokens/revoke"


async def is_let_in(caller: Caller) -> bool:
    status = (await caller.call("GET", "/api/users/me")).status_code
    assert status in {200, 401}
    return status == 200


def jti_of(caller: Caller) -> str:
    jti: str = jwt.decode(caller.token, options={"verify_signature": False})["jti"]
    return jti


async def test_one_token_is_revoked_and_the_others_stay(tenant: Tenant) -> None:
    first = await tenant.user("ann")
    second = await tenant.token("ann")
    assert await is_let_in(first)
    revoked = await tenant.server("POST", REVOKE, {"jti": jti_of(first)})
    assert revoked.status_code == 200
    assert revoked.json()["jti"] == jti_of(first)
    assert [await is_let_in(first), await is_let_in(second)] == [False, True]
    assert (await tenant.server("POST", REVOKE, {"jti": jti_of(first)})).status_code == 200


async def test_a_users_tokens_are_revoked_and_one_minted_at_once_is_valid(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    for _ in range(20):
        assert await is_let_in(ann)
        assert (await tenant.server("POST", REVOKE, {"userId": "ann"})).status_code == 200
        fresh = await tenant.token("ann")
        assert [await is_let_in(ann), await is_let_in(fresh)] == [False, True]
        ann = fresh
    assert await is_let_in(bob)


async def test_all_tokens_of_an_app_are_revoked_and_of_no_other(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    stranger = await (await chat.new_tenant()).user("ann")
    assert (await tenant.server("POST", REVOKE, {"all": True})).status_code == 200
    assert [await is_let_in(one) for one in (ann, bob, stranger)] == [False, False, True]
    assert await is_let_in(await tenant.token("ann"))
    assert (await tenant.server("GET", "/api/users")).status_code == 200


async def test_an_earlier_time_never_brings_tokens_back(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    await chat.sql(
        "update app_user set tokens_valid_after = now() + interval '1 minute' where app_id = $1::uuid",
        tenant.id,
    )
    before = await chat.sql("select tokens_valid_after from app_user where app_id = $1::uuid", tenant.id)
    await tenant.server("POST", REVOKE, {"userId": "ann"})
    after = await chat.sql("select tokens_valid_after from app_user where app_id = $1::uuid", tenant.id)
    assert after == before
    assert not await is_let_in(ann)
    assert await is_let_in(await tenant.token("ann"))


async def test_another_apps_tokens_and_users_are_out_of_reach(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    other = await chat.new_tenant()
    refused = await other.server("POST", REVOKE, {"userId": "ann"})
    assert (refused.status_code, error_code(refused)) == (404, "user_not_found")
    await other.server("POST", REVOKE, {"jti": jti_of(ann)})
    await other.server("POST", REVOKE, {"all": True})
    assert await is_let_in(ann)


@pytest.mark.parametrize(
    "body", [{}, {"all": False}, {"all": True, "userId": "ann"}, {"jti": "x"}, {"jti": None}, {"more": 1}]
)
async def test_what_to_revoke_is_said_in_one_way(tenant: Tenant, body: object) -> None:
    refused = await tenant.server("POST", REVOKE, body)
    assert refused.status_code == 422
    assert problems(refused)


async def test_a_users_token_revokes_nothing(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    assert (await ann.call("POST", REVOKE, {"all": True})).status_code == 403
    assert await is_let_in(ann)


async def test_revocations_of_expired_tokens_are_forgotten(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    for user in (ann, bob):
        await tenant.server("POST", REVOKE, {"jti": jti_of(user)})
    await chat.sql("update revoked_token set expires_at = now() where jti = $1::uuid", jti_of(ann))
    async with reading(chat.resources.pool) as connection:
        await forget_revoked(connection)
    left = await chat.sql("select jti::text from revoked_token where app_id = $1::uuid", tenant.id)
    assert [row["jti"] for row in left] == [jti_of(bob)]


async def test_the_other_services_are_told_the_truth_at_once(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    assert (await introspect(chat.resources, {"token": ann.token}))["active"] is True
    await tenant.server("POST", REVOKE, {"userId": "ann"})
    assert await introspect(chat.resources, {"token": ann.token}) == {"active": False}


async def test_listeners_hear_of_each_revocation(chat: Chat, tenant: Tenant) -> None:
    told: list[Revocation] = []
    chat.resources.tokens.on_revoked(told.append)
    await tenant.user("ann")
    await tenant.server("POST", REVOKE, {"userId": "ann"})
    await tenant.server("POST", REVOKE, {"all": True})
    await tenant.server("POST", REVOKE, {"userId": "nobody"})
    assert [(one.app_id, one.user_id) for one in told] == [(tenant.id, "ann"), (tenant.id, None)]


async def test_a_look_up_that_a_revocation_overtakes_is_not_remembered(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    async with transaction(chat.resources.pool) as tx:
        # The look-up has read the app, of which nothing is revoked yet, and waits for the user.
        await tx.execute("lock table revoked_token in access exclusive mode")
        looking = asyncio.create_task(is_let_in(ann))
        await wait_for(lambda: waiting_for_locks(chat))
        assert (await tenant.server("POST", REVOKE, {"all": True})).status_code == 200
    await looking
    assert not await is_let_in(ann)


@asynccontextmanager
async def replica(database: str, broker: str) -> AsyncIterator[tuple[Chat, list[Any]]]:
    """Another replica's doors, which hears the control exchange of this broker."""
    loops = BackgroundLoops(outages=BROKER_AWAY)
    events: list[Any] = []
    async with running_doors(database) as doors:
        tokens, ready = doors.resources.tokens, asyncio.Event()

        def hear(event: ControlEvent) -> None:
            events.append(event)
            if (revocation := heard(event)) is not None:
                tokens.revoked(revocation)

        loops.start("listen", ControlChannel(broker, 1).listener(hear, ready.set).run)
        await asyncio.wait_for(ready.wait(), timeout=10)
        try:
            yield doors, events
        finally:
            await loops.stop()


async def test_every_replica_hears_of_it_at_once(
    chat: Chat, tenant: Tenant, chat_database: str, rabbit_vhost: str
) -> None:
    ann = await tenant.user("ann")
    bot = await tenant.limited("chat:read")
    bot_id = (await tenant.server("GET", "/api/app/keys")).json()["keys"][-1]["id"]
    speaking = BackgroundLoops(outages=BROKER_AWAY)
    async with replica(chat_database, rabbit_vhost) as (other, events):
        control = ControlChannel(rabbit_vhost, 1)
        speaking.start("publish", control.publish)
        try:
            there, bot_there = Caller(other, "ann", ann.token), Tenant(other, tenant.id, bot.key)
            assert await is_let_in(there)
            assert (await bot_there.server("GET", "/api/users")).status_code == 200
            here = Tenant(chat, tenant.id, tenant.key)
            async with running_doors(chat_database, control=control) as doors:
                here = Tenant(doors, tenant.id, tenant.key)
                await here.server("POST", REVOKE, {"userId": "ann"})
                await here.server("DELETE", f"/api/app/keys/{bot_id}")
                await here.server("PATCH", "/api/app/settings", {"userDirectory": "all"})
            await wait_for(lambda: any(isinstance(event, SettingsChanged) for event in events))
            assert not await is_let_in(there)
            assert (await bot_there.server("GET", "/api/users")).status_code == 401
            assert [event.type for event in events] == ["token.revoked", "key.revoked", "settings.changed"]
            assert events[2].data.changed == ["userDirectory"]
            assert {event.appid for event in events} == {tenant.id}
        finally:
            await speaking.stop()


async def test_a_broken_connection_is_a_gap_and_is_mended(
    chat_database: str, rabbit_vhost: str, rabbit_server: RabbitServer
) -> None:
    gaps: list[int] = []
    loops = BackgroundLoops(outages=BROKER_AWAY)
    control = ControlChannel(rabbit_vhost, 1)
    loops.start("listen", control.listener(lambda event: None, lambda: gaps.append(1)).run)
    try:
        await wait_for(lambda: len(gaps) == 1)
        rabbit_server.close_connections()
        await wait_for(lambda: len(gaps) == 2)
    finally:
        await loops.stop()
