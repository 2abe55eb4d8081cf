"""The log by position, as the other services read it to find what the broker never brought them."""

import asyncio
from typing import Any
from uuid import UUID, uuid4
from zlib import crc32

import httpx2
import pytest

from chat_service.events import feed, store
from chat_service.events.rules import positions_for
from chat_service.resources import Resources
from chatsdk_contracts.topology import LANES
from chatsdk_runtime.postgres import reading, transaction
from tests.integration.chat_service.calling import Chat, Tenant

SERVICE = {"Authorization": "Bearer service-token-of-the-tests"}


@pytest.fixture(scope="module", autouse=True)
def the_private_door(chat: Chat) -> None:
    transport = chat.client._transport
    assert isinstance(transport, httpx2.ASGITransport)
    transport.app.include_router(feed.router)  # type: ignore[attr-defined]  # the app that calling.py made


async def number_and_publish(resources: Resources, *, confirmed: bool = True) -> None:
    """What the relay does, without a broker that may or may not confirm."""
    session = uuid4()
    async with reading(resources.pool) as connection:
        await store.renew_session(connection, session, 60)
        lanes = await store.lead_lanes(connection, session, 60, LANES)
    async with transaction(resources.pool) as tx:
        next_positions = await store.lock_unnumbered(tx, lanes, session, UUID(int=0))
        rows = await store.unnumbered(tx, lanes, UUID(int=0), 1_000)
        if rows:
            positions, ends = positions_for([row["lane"] for row in rows], next_positions)
            await store.number(tx, [row["id"] for row in rows], positions, ends)
    async with reading(resources.pool) as connection:
        if confirmed:
            ends = {place.lane: place.next_pos - 1 for place in await store.lane_positions(connection)}
            await store.move_published(connection, session, ends)
        await store.end_session(connection, session)


async def read_lane(chat: Chat, lane: int, **query: Any) -> list[dict[str, Any]]:
    """All pages of a lane, one after another, as a reader does that wants everything published."""
    events: list[dict[str, Any]] = []
    after = 0
    while True:
        asked = httpx2.QueryParams({"lane": lane, "after": after, **query})
        page = (await chat.call("GET", f"/internal/events?{asked}", headers=SERVICE)).json()
        events += page["events"]
        if page["nextAfter"] >= page["publishedPos"]:
            return events
        assert page["nextAfter"] > after
        after = page["nextAfter"]


async def read_all(chat: Chat, **query: Any) -> list[str]:
    """The bodies of every lane."""
    lanes = await asyncio.gather(*(read_lane(chat, lane, **query) for lane in range(LANES)))
    return [event["body"] for lane in lanes for event in lane]


@pytest.fixture(scope="module")
async def tenants(chat: Chat) -> list[Tenant]:
    """Two apps, each with a user and channels, all of it published."""
    made = [await chat.new_tenant("one"), await chat.new_tenant("two")]
    for tenant in made:
        user = await tenant.user("ann")
        for number in range(6):
            await user.channel(type="group", name=f"channel {number}")
    await number_and_publish(chat.resources)
    return made


@pytest.mark.parametrize("limit", [1, 2, 500])
async def test_every_published_event_is_read_once_and_byte_for_byte(
    chat: Chat, tenants: list[Tenant], limit: int
) -> None:
    stored = [row["body"].decode() for row in await chat.sql("select body from event")]

    read = await read_all(chat, limit=limit)

    assert len(stored) > 12
    assert sorted(read) == sorted(stored)


async def test_positions_of_a_lane_are_dense_and_belong_to_its_subjects(
    chat: Chat, tenants: list[Tenant]
) -> None:
    for lane in range(LANES):
        events = await read_lane(chat, lane)

        assert [event["pos"] for event in events] == list(range(1, len(events) + 1))
    subjects = await chat.sql("select lane, subject from event")
    assert all(row["lane"] == crc32(row["subject"].encode()) % LANES for row in subjects)


@pytest.mark.parametrize("limit", [1, 500])
async def test_a_filter_leaves_out_and_a_reader_still_gets_to_the_end(
    chat: Chat, tenants: list[Tenant], limit: int
) -> None:
    wanted = await chat.sql(
        "select body from event where app_id = $1 and type = 'channel.created'", UUID(tenants[0].id)
    )

    read = await read_all(chat, appId=tenants[0].id, types="channel.created,channel.deleted", limit=limit)

    assert len(wanted) == 6
    assert sorted(read) == sorted(row["body"].decode() for row in wanted)


async def test_a_channel_and_a_time_can_be_asked_for(chat: Chat, tenants: list[Tenant]) -> None:
    [row] = await chat.sql("select channel_id from event where type = 'channel.created' limit 1")
    of_it = await chat.sql("select body from event where channel_id = $1", row["channel_id"])

    read = await read_all(chat, channels=str(row["channel_id"]))

    assert sorted(read) == sorted(one["body"].decode() for one in of_it)
    assert await read_all(chat, to="2020-01-01T00:00:00Z") == []
    assert len(await read_all(chat, **{"from": "2020-01-01T00:00:00Z"})) > 12


async def test_what_the_broker_has_not_confirmed_is_not_in_the_feed(
    chat: Chat, tenants: list[Tenant]
) -> None:
    before = await read_all(chat)
    user = await tenants[0].user("ben")
    await user.channel(type="group", name="not confirmed yet")

    await number_and_publish(chat.resources, confirmed=False)

    assert await read_all(chat) == before
    await number_and_publish(chat.resources)
    assert len(await read_all(chat)) > len(before)


async def test_the_lanes_tell_how_far_they_are(chat: Chat, tenants: list[Tenant]) -> None:
    answer = (await chat.call("GET", "/internal/lanes", headers=SERVICE)).json()

    assert [lane["lane"] for lane in answer["lanes"]] == list(range(LANES))
    assert all(lane["publishedPos"] < lane["nextPos"] for lane in answer["lanes"])
    assert answer["epoch"] == 1


@pytest.mark.parametrize(
    "query",
    ["lane=16", "lane=-1", "", "lane=0&limit=0", "lane=0&after=-1", "lane=0&channels=x", "lane=0&from=x"],
)
async def test_a_question_that_makes_no_sense_is_refused(chat: Chat, query: str) -> None:
    answer = await chat.call("GET", f"/internal/events?{query}", headers=SERVICE)

    assert answer.status_code == 422


async def test_what_loses_its_words_is_told_in_order_and_again_when_it_loses_more(
    chat: Chat, tenant: Tenant
) -> None:
    ann = await tenant.user("ann")
    made = await ann.channel(type="group")
    path = f"/api/channels/{made['id']}/messages"
    first, second = [(await ann.call("POST", path, {"text": "said"})).json() for _ in range(2)]
    before = (await read_redactions(chat))[-1:]
    after = before[0]["pos"] if before else 0
    await ann.call("DELETE", f"{path}/{second['id']}")
    await ann.call("DELETE", f"{path}/{first['id']}")
    await number_and_publish(chat.resources)

    told = await read_redactions(chat, after=after)

    assert [one["pos"] for one in told] == [after + 1, after + 2]
    assert all(one["lanePos"] is not None and '"text":""' in one["body"] for one in told)
    assert await read_redactions(chat, after=after + 2) == []
    await chat.sql("update redacted_event set pos = null where event_id = $1", UUID(told[0]["id"]))
    [again] = await read_redactions(chat, after=after + 2)
    assert (again["id"], again["pos"]) == (told[0]["id"], after + 3)
    refused = await chat.call("GET", "/internal/redactions")
    assert refused.status_code == 401


async def read_redactions(chat: Chat, **query: int) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await chat.call("GET", f"/internal/redactions?{asked}", headers=SERVICE)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["redactions"]
    return listed
