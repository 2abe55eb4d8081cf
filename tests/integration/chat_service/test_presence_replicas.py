"""Sockets in the database: written together, kept by a session, and ended by others when that is dead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from chat_service.events.ephemeral import EphemeralChannel
from chat_service.instruments import EphemeralInstruments, PresenceInstruments
from chat_service.presence.reaping import Reaper
from chat_service.presence.roster import Roster
from chat_service.presence.rules import PresenceTimes
from chat_service.presence.telling import PresenceTeller
from chatsdk_contracts.ids import AppId, UserId, new_id
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool
from tests.integration.chat_service.channel_rows import a_pool, an_app
from tests.waiting import wait_for

TIMES = PresenceTimes(
    renew_s=0.1, dead_after_s=30.0, grace=timedelta(seconds=20), heartbeat=timedelta(seconds=60)
)


class Site:
    """An app, and what replicas over its database tell of its users."""

    def __init__(self, pool: Pool, app_id: AppId) -> None:
        self.pool, self.app_id = pool, app_id
        self.registry = CollectorRegistry()
        self.instruments = PresenceInstruments(self.registry)
        channel = EphemeralChannel("amqp://127.0.0.1:1", EphemeralInstruments(CollectorRegistry()))
        self.teller = PresenceTeller(channel, self.instruments, epoch=1)
        self.reaper = Reaper(pool, self.teller, TIMES, self.instruments)

    def changes(self, status: str) -> float:
        """How often this was told of anybody."""
        return self.registry.get_sample_value("chatsdk_presence_changes_total", {"status": status}) or 0.0

    def key(self, user: str) -> tuple[AppId, UserId]:
        return self.app_id, UserId(user)

    @asynccontextmanager
    async def replica(self) -> AsyncIterator[Roster]:
        roster = Roster(self.pool, self.teller, TIMES)
        loops = BackgroundLoops(outages=DATABASE_AWAY)
        loops.start("roster", roster.run)
        try:
            yield roster
        finally:
            await loops.stop()

    async def users(self, column: str) -> dict[str, object]:
        rows = await self.pool.fetch(
            f"select user_id, {column} as value from user_presence where app_id = $1", UUID(self.app_id)
        )
        return {row["user_id"]: row["value"] for row in rows}

    async def sockets(self) -> int:
        return int(
            await self.pool.fetchval(
                "select count(*) from presence_connection where app_id = $1", UUID(self.app_id)
            )
        )

    async def declare_dead(self) -> None:
        """Let the sessions look as if nobody had renewed them for long."""
        await self.pool.execute("update presence_session set renewed_at = now() - interval '1 hour'")

    async def pass_grace(self) -> None:
        await self.pool.execute("update user_presence set due_at = now() where due_at is not null")


@asynccontextmanager
async def a_socket_each(site: Site, *users: str) -> AsyncIterator[Roster]:
    """A replica with a socket of each of these users, written."""
    async with site.replica() as roster:
        for user in users:
            roster.opened(new_id(), site.key(user))
        await wait_for(lambda: roster.is_written, what="all is written")
        yield roster


@pytest.fixture
async def site(chat_database: str) -> AsyncIterator[Site]:
    async with a_pool(chat_database) as pool:
        # What is due is due for every app.
        for table in ("presence_connection", "presence_session", "user_presence"):
            await pool.execute(f"delete from {table}")
        yield Site(pool, await an_app(pool, [f"u{number}" for number in range(600)]))


async def test_hundreds_of_sockets_are_written_together_and_end_with_their_replica(site: Site) -> None:
    async with site.replica() as roster:
        ids = [new_id() for _ in range(1_200)]
        for number, socket_id in enumerate(ids):
            roster.opened(socket_id, site.key(f"u{number % 600}"))
        await wait_for(lambda: roster.is_written, what="all is written")
        assert await site.sockets() == 1_200
        assert set((await site.users("shown")).values()) == {"online"}
        assert site.changes("online") == 600
        for socket_id in ids[:600]:
            roster.closed(socket_id)
        await wait_for(lambda: roster.is_written, what="all is written")
        assert set((await site.users("due_at")).values()) == {None}, "each has a socket left"

    await site.declare_dead()
    while await site.reaper.reap():
        pass
    assert await site.sockets() == 0
    assert await site.reaper.show_due() == 0
    assert set((await site.users("shown")).values()) == {"online"}, "they have time to come back"
    await site.pass_grace()
    while await site.reaper.show_due():
        pass
    assert set((await site.users("shown")).values()) == {"offline"}
    assert (site.changes("online"), site.changes("offline")) == (600, 600)


async def test_a_replica_that_was_taken_for_dead_comes_back_with_all_its_sockets(site: Site) -> None:
    async with a_socket_each(site, "u1"):
        await site.declare_dead()
        # The replica may notice first: then it has a new session already, and only the old one is ended.
        while await site.reaper.reap():
            pass

        async def is_back() -> bool:
            return await site.sockets() == 1 and (await site.users("due_at"))["u1"] is None

        await wait_for(is_back, what="the socket is under a new session")
        assert (site.changes("online"), site.changes("offline")) == (1, 0)


async def test_two_reapers_tell_once_and_a_socket_that_opens_meanwhile_counts(site: Site) -> None:
    async with a_socket_each(site, *(f"u{number}" for number in range(50))):
        pass
    other = Reaper(site.pool, site.teller, TIMES, site.instruments)
    await site.declare_dead()
    await asyncio.gather(site.reaper.reap(), other.reap())
    async with a_socket_each(site, "u7"):
        await site.pass_grace()
        await asyncio.gather(site.reaper.show_due(), other.show_due())

    shown = await site.users("shown")
    assert shown.pop("u7") == "online"
    assert set(shown.values()) == {"offline"}
    assert site.changes("offline") == 49


async def test_a_replica_that_stops_gives_its_users_the_time_to_come_back(site: Site) -> None:
    async with a_socket_each(site, "u1") as roster:
        pass
    await roster.leave()

    assert await site.sockets() == 0
    [due] = (await site.users("due_at")).values()
    assert isinstance(due, datetime)
    assert timedelta(seconds=15) < due - datetime.now(UTC) <= timedelta(seconds=20)
    assert site.changes("offline") == 0


async def test_a_socket_ends_being_offline_by_choice_but_not_being_invisible(site: Site) -> None:
    for user, choice in (("u1", "offline"), ("u2", "invisible")):
        await site.pool.execute(
            "insert into user_presence (app_id, user_id, chosen) values ($1, $2, $3)",
            UUID(site.app_id),
            user,
            choice,
        )
    async with a_socket_each(site, "u1", "u2"):
        assert await site.users("shown") == {"u1": "online", "u2": "offline"}
        assert await site.users("chosen") == {"u1": "online", "u2": "invisible"}


async def test_when_somebody_was_last_seen_is_noted_for_who_is_shown(site: Site) -> None:
    async with a_socket_each(site, "u1", "u2") as roster:
        await site.pool.execute("update user_presence set last_seen_at = null")
        await site.pool.execute("update user_presence set shown = 'offline' where user_id = 'u2'")
        for user in ("u1", "u2"):
            roster.active(site.key(user))
        await roster.note_active()

        seen = await site.users("last_seen_at")
        assert (seen["u1"] is not None, seen["u2"]) == (True, None)
