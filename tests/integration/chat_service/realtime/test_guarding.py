"""Sockets of tokens that were taken back: closed when that is told, and when telling it may have been missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from chat_service.instruments import RealtimeInstruments
from chat_service.realtime.connection import Connection, SocketLimits
from chat_service.realtime.guarding import SocketGuard
from chat_service.realtime.hub import Hub
from chat_service.realtime.protocol import Close
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY
from tests.integration.chat_service.calling import Caller, Chat, Tenant
from tests.waiting import wait_for


class Guarded:
    """A hub with a guard that runs."""

    def __init__(self, chat: Chat) -> None:
        self._tokens = chat.resources.tokens
        self.hub = Hub(chat.resources.pool, RealtimeInstruments(CollectorRegistry()))
        self.guard = SocketGuard(self.hub, self._tokens)

    async def connect(self, user: Caller) -> Connection:
        caller = await self._tokens.verify_token(user.token)
        assert caller is not None

        async def nowhere(_: str) -> None:
            await asyncio.sleep(0)

        connection = Connection(
            nowhere,
            connection_id=user.id,
            caller=caller,
            token=user.token,
            client_id=None,
            expires_at=0.0,
            limits=SocketLimits(),
        )
        self.hub.add(connection)
        return connection


@asynccontextmanager
async def guarding(chat: Chat) -> AsyncIterator[Guarded]:
    guarded = Guarded(chat)
    loops = BackgroundLoops(outages=DATABASE_AWAY)
    loops.start("guard", guarded.guard.run)
    try:
        yield guarded
    finally:
        await loops.stop()


@pytest.mark.parametrize("is_told", [True, False])
async def test_only_the_socket_of_a_revoked_token_is_closed(
    chat: Chat, tenant: Tenant, *, is_told: bool
) -> None:
    ann, bob = await tenant.users("ann", "bob")
    async with guarding(chat) as guarded:
        closed, open_ = await guarded.connect(ann), await guarded.connect(bob)
        if is_told:
            chat.resources.tokens.on_revoked(guarded.guard.revoked)
        await tenant.server("POST", "/api/auth/tokens/revoke", {"userId": "ann"})
        if not is_told:
            guarded.guard.doubt_all()

        await wait_for(lambda: closed.closing, what="the socket is closed")

        assert (closed.closing, open_.closing) == (Close.UNAUTHORIZED, None)


async def test_a_token_minted_behind_the_revocation_keeps_its_socket(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    async with guarding(chat) as guarded:
        old = await guarded.connect(ann)
        await tenant.server("POST", "/api/auth/tokens/revoke", {"userId": "ann"})
        new = await guarded.connect(await tenant.token("ann"))

        guarded.guard.doubt_all()
        await wait_for(lambda: old.closing, what="the older socket is closed")
        guarded.guard.doubt_all()
        old_again = await guarded.connect(await tenant.token("ann"))
        await wait_for(lambda: not guarded.guard.is_in_doubt, what="every socket was looked at")

        assert (new.closing, old_again.closing) == (None, None)
