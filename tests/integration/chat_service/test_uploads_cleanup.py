"""Files whose time is over are removed, objects first marked; nothing that is shown is, and a crash loses no step."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chat_service import maintenance
from chat_service.errors import StorageAway
from chat_service.uploads.cleanup import Cleaner, Lifetimes
from chat_service.uploads.objects import Objects
from chatsdk_runtime.loops import Heartbeat
from tests.integration.chat_service.calling import Chat, Tenant
from tests.integration.chat_service.uploading import PDF, File, a_picture, paths, presigned, uploaded, written
from tests.waiting import wait_for

LIFETIMES = Lifetimes(pending=timedelta(hours=24), unlinked=timedelta(days=7))


class Broken(Objects):
    """A store that is away after so many deletions."""

    def __init__(self, whole: Objects, deletions: int) -> None:
        super().__init__(whole._store)
        self.left = deletions

    async def remove(self, path: str) -> None:
        if self.left == 0:
            raise StorageAway
        self.left -= 1
        await super().remove(path)


def nothing() -> None:
    """No heart to beat."""


async def states(chat: Chat, *ids: str) -> list[str]:
    rows = await chat.sql(
        "select id, state from upload where id = any($1::uuid[])", [UUID(one) for one in ids]
    )
    found = {str(row["id"]): row["state"] for row in rows}
    return [found.get(one, "gone") for one in ids]


async def clean(chat: Chat, now: datetime, objects: Objects | None = None) -> None:
    objects = objects or chat.resources.depot.objects
    await Cleaner(chat.resources.pool, objects, LIFETIMES).clean(now, nothing)


@pytest.fixture(autouse=True)
async def _empty(chat: Chat) -> AsyncIterator[None]:
    yield
    await chat.sql("delete from upload")


async def test_what_was_never_confirmed_goes_after_a_day_and_what_nobody_shows_after_a_week(
    chat: Chat, tenant: Tenant
) -> None:
    ann = await tenant.user("ann")
    pending, loose = (
        await written(ann, PDF),
        (await uploaded(ann, File(a_picture(), "p.png", "image/png")))["id"],
    )
    shown = (await uploaded(ann, File(PDF)))["id"]
    await chat.sql("update upload set unlinked_since = null where id = $1", UUID(shown))
    now = datetime.now(UTC)

    await clean(chat, now + timedelta(hours=23))
    young = await states(chat, pending, loose, shown)
    await clean(chat, now + timedelta(hours=25))
    day = await states(chat, pending, loose, shown)
    await clean(chat, now + timedelta(days=7, minutes=1))
    week = await states(chat, pending, loose, shown)

    assert young == ["pending", "complete", "complete"]
    assert day == ["gone", "complete", "complete"]
    assert week == ["gone", "gone", "complete"]
    assert {path.split("/")[2] for path in await paths(chat)} >= {shown}
    assert not [path for path in await paths(chat) if pending in path or loose in path]


async def test_an_interrupted_clean_up_is_finished_by_the_next(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    ids = [(await uploaded(ann, File(a_picture(), "p.png", "image/png")))["id"] for _ in range(3)]
    later = datetime.now(UTC) + timedelta(days=8)

    await clean(chat, later, Broken(chat.resources.depot.objects, 3))
    interrupted = await states(chat, *ids)
    unreadable = [(await ann.call("GET", f"/api/uploads/{one}/content")).status_code for one in ids]
    await clean(chat, later)

    assert interrupted == ["gone", "removing", "removing"]
    assert unreadable == [404, 404, 404]
    assert await states(chat, *ids) == ["gone"] * 3
    assert not [path for path in await paths(chat) if any(one in path for one in ids)]


async def test_a_row_waits_until_its_address_can_no_longer_be_written_to(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    upload_id = await written(ann, PDF)

    await ann.call("DELETE", f"/api/uploads/{upload_id}")
    waiting = await states(chat, upload_id)
    objects = chat.resources.depot.objects
    await clean(chat, datetime.now(UTC) + timedelta(hours=2), objects)

    assert (waiting, await states(chat, upload_id)) == (["removing"], ["gone"])


async def test_what_is_written_beside_a_complete_file_is_removed_when_the_address_ends(
    chat: Chat, tenant: Tenant
) -> None:
    ann = await tenant.user("ann")
    upload_id = await written(ann, PDF)
    confirmed = await ann.call("POST", f"/api/uploads/{upload_id}/confirm")
    [folder] = {path.rpartition("/")[0] for path in await paths(chat) if upload_id in path}

    async def late() -> AsyncIterator[bytes]:
        yield b"late"

    # As the holder of an address of the store itself can.
    await chat.resources.depot.objects.put(f"{folder}/incoming", late())
    await clean(chat, datetime.now(UTC))
    open_still = [path for path in await paths(chat) if upload_id in path]
    await clean(chat, datetime.now(UTC) + timedelta(hours=2))

    assert confirmed.status_code == 200
    assert len(open_still) == 2
    assert not [path for path in await paths(chat) if path.endswith("incoming")]
    assert (await ann.call("GET", f"/api/uploads/{upload_id}/content")).content == PDF


async def test_maintenance_cleans_up(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    announced = await presigned(ann, PDF)
    await chat.sql(
        "update upload set created_at = created_at - interval '2 days', writable_until = created_at"
        " - interval '1 day' where id = $1",
        UUID(announced["id"]),
    )
    cleaner = Cleaner(chat.resources.pool, chat.resources.depot.objects, LIFETIMES)
    running = asyncio.create_task(
        maintenance.maintain(chat.resources.pool, Heartbeat("maintenance", 60), uploads=cleaner)
    )
    try:

        async def gone() -> bool:
            return await states(chat, announced["id"]) == ["gone"]

        await wait_for(gone, what="the upload is gone")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
