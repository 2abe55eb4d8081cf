"""Limits on a real database: two replicas share one, doors refuse and tell, repeats are neither refused nor counted."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from chat_service.auth.principal import Principal
from chat_service.limits import store
from chat_service.limits.limiter import Limiter
from chatsdk_contracts.ids import AppId, UserId, new_id
from chatsdk_runtime.postgres import open_pool, reading
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, running_limiter
from tests.waiting import wait_for

SMALL = {"perSecond": 0.01, "burst": 3}


async def choose(tenant: Tenant, **limits: Any) -> None:
    answer = await tenant.server("PATCH", "/api/app/settings", {"rateLimits": limits})
    assert answer.status_code == 200, answer.text


async def seen_by_both(*limiters: Limiter) -> None:
    async def all_see_two() -> bool:
        return all(one.replicas >= 2 for one in limiters)

    await wait_for(all_see_two, 10)


async def calls_until(limiter: Limiter, caller: Principal, end_s: float) -> tuple[int, float]:
    """How many calls were let through, and up to when."""
    through, last_s = 0, 0.0

    async def is_over() -> bool:
        nonlocal through, last_s
        last_s = time.monotonic()
        while (await limiter.charge("send", caller)).refused_by is None:
            through += 1
        return time.monotonic() >= end_s

    await wait_for(is_over, 30)
    return through, last_s


async def test_two_replicas_together_keep_within_a_tenth_of_the_limit(chat: Chat, tenant: Tenant) -> None:
    await choose(tenant, send={"user": {"perSecond": 100, "burst": 200}})
    pool = chat.resources.pool
    caller = Principal("user", AppId(tenant.id), user_id=UserId("ann"))
    # A machine that is busy with other things must not look like an outage.
    patient = {"answer_s": 10.0}
    async with running_limiter(pool, **patient) as one, running_limiter(pool, **patient) as other:
        await seen_by_both(one, other)
        started_s = time.monotonic()
        made = await asyncio.gather(
            *(calls_until(limiter, caller, started_s + 2.0) for limiter in (one, other))
        )
        through = [count for count, _ in made]
        least = 200 + 100 * (min(last_s for _, last_s in made) - started_s)
        most = 200 + 100 * (time.monotonic() - started_s)
        assert 0.9 * least <= sum(through) <= 1.1 * most, (through, least, most)
        assert min(through) > 0.1 * least


async def test_whoever_waited_for_a_share_that_others_took_asks_again(chat: Chat, tenant: Tenant) -> None:
    """Calls that come while the answer is under way, uncounted in what was asked for, must cost nobody his own."""
    await choose(tenant, send={"user": {"perSecond": 100, "burst": 5_000}})
    caller = Principal("user", AppId(tenant.id), user_id=UserId("ann"))

    async def call(limiter: Limiter, turns: int) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        return (await limiter.charge("send", caller)).refused_by is None

    async with running_limiter(chat.resources.pool, answer_s=10.0) as limiter:
        through = await asyncio.gather(*(call(limiter, number // 100) for number in range(4_500)))
    assert all(through), f"{through.count(False)} of 4,500 refused, though 5,000 may come at once"


async def test_far_from_a_limit_the_database_is_not_asked(chat: Chat, tenant: Tenant) -> None:
    caller = Principal("user", AppId(tenant.id), user_id=UserId("ann"))
    for _ in range(15):
        charge = await chat.resources.limiter.charge("send", caller)
        charge.require()
    statement = "select key from rate_limit_bucket where app_id = $1"
    assert await chat.sql(statement, UUID(tenant.id)) == []


async def test_without_its_database_a_replica_has_limits_of_its_own() -> None:
    registry = CollectorRegistry()
    pool = await open_pool("postgresql://nobody@127.0.0.1:1/none", application_name="tests", min_size=0)
    caller = Principal("server", AppId(str(uuid4())))
    try:
        async with running_limiter(pool, registry=registry, factor=0.001) as limiter:
            charges = [await limiter.charge("send", caller) for _ in range(40)]
    finally:
        await pool.close()
    through = sum(charge.refused_by is None for charge in charges)
    # 20 at once, a tenth more that nobody is asked about, and what comes in meanwhile.
    assert 20 <= through < 35
    assert registry.get_sample_value("chatsdk_rate_limit_local") == 1
    labels = {"action": "send", "result": "refused"}
    assert registry.get_sample_value("chatsdk_rate_limit_decisions_total", labels) == 40 - through


async def test_another_replica_learns_of_new_limits_by_itself(chat: Chat, tenant: Tenant) -> None:
    caller = Principal("user", AppId(tenant.id), user_id=UserId("ann"))
    # Its seconds pass quickly.
    async with running_limiter(chat.resources.pool, clock=lambda: time.monotonic() * 20) as other:
        assert (await other.charge("send", caller)).refused_by is None
        chosen = '{"rateLimits": {"send": {"user": {"perSecond": 0.001, "burst": 1}}}}'
        await chat.sql("update app set settings = $2 where id = $1", UUID(tenant.id), chosen)

        async def refuses() -> bool:
            return (await other.charge("send", caller)).refused_by is not None

        await wait_for(refuses, 10)


async def test_buckets_that_are_full_again_are_deleted(chat: Chat, tenant: Tenant) -> None:
    for key, level, ago_s in (("full", 0, 3_600), ("empty", 0, 300), ("fresh", 10, 1)):
        await chat.sql(
            "insert into rate_limit_bucket (app_id, key, per_second, burst, wanted, given_back, granted, level,"
            " filled_at) values ($1, $2, 0.01, 10, 0, 0, 0, $3, now() - make_interval(secs => $4))",
            UUID(tenant.id),
            key,
            level,
            ago_s,
        )
    async with reading(chat.resources.pool) as connection:
        await store.forget_full(connection)
    left = await chat.sql("select key from rate_limit_bucket where app_id = $1 order by key", UUID(tenant.id))
    assert [row["key"] for row in left] == ["empty", "fresh"]


async def test_keys_that_were_not_used_for_longest_are_forgotten(chat: Chat, tenant: Tenant) -> None:
    async with running_limiter(chat.resources.pool, most_keys=10) as limiter:
        for number in range(50):
            user = Principal("user", AppId(tenant.id), user_id=UserId(f"user-{number}"))
            await limiter.charge("write", user)
        assert len(limiter._buckets) == 10


@pytest.fixture
async def room(tenant: Tenant) -> tuple[Caller, str]:
    ann = await tenant.user("ann")
    channel = await ann.channel(type="group", name="room")
    return ann, f"/api/channels/{channel['id']}/messages"


async def test_a_send_over_the_limit_is_refused_and_a_repeat_is_not(
    tenant: Tenant, room: tuple[Caller, str]
) -> None:
    ann, path = room
    await choose(tenant, send={"user": SMALL})

    async def send(number: int) -> Any:
        return await ann.call("POST", path, {"text": "x", "clientMsgId": f"c{number}"})

    first = await send(1)
    assert (first.status_code, first.headers["x-ratelimit-limit"]) == (201, "3")
    assert int(first.headers["x-ratelimit-reset"]) >= time.time() + 90
    # Repeats cost nothing, within the limit and beyond it.
    assert {(await send(1)).status_code for _ in range(5)} == {200}
    assert [(await send(n)).status_code for n in (2, 3)] == [201, 201]
    refused = await send(4)
    assert (refused.status_code, error_code(refused)) == (429, "rate_limited")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    error = refused.json()["error"]
    assert error["details"][0]["path"] == "send.user"
    assert 1 <= int(refused.headers["retry-after"]) <= 100
    assert error["retryAfterMs"] <= int(refused.headers["retry-after"]) * 1_000
    assert ((await send(3)).status_code, (await send(3)).json()["duplicate"]) == (200, True)
    other_words = await ann.call("POST", path, {"text": "y", "clientMsgId": "c3"})
    assert error_code(other_words) == "idempotency_mismatch"
    # The app's server has no user's bucket, and another user has one of their own.
    sent = await tenant.server("POST", path, {"text": "x", "userId": "ann"})
    assert sent.status_code == 201
    # Refused operations of a client stay in its lane.
    op = {
        "opId": str(uuid4()),
        "laneSeq": 1,
        "kind": "message.send",
        "message": {"id": new_id(), "text": "x"},
    }
    kept = {"clientId": "phone", "channelId": path.split("/")[3], "ops": [op]}
    pushed = await ann.call("POST", "/api/sync/ops", kept)
    assert (pushed.status_code, error_code(pushed)) == (429, "rate_limited")
    # With the default limits again, all goes on at once.
    await choose(tenant)
    assert (await send(4)).status_code == 201
    assert (await ann.call("POST", "/api/sync/ops", kept)).json()["results"][0]["status"] == 201


async def test_a_repeat_by_key_passes_the_limit_and_a_new_call_does_not(
    tenant: Tenant, room: tuple[Caller, str]
) -> None:
    ann, _ = room
    await choose(tenant, write={"user": SMALL})
    made = [
        await ann.call("POST", "/api/channels", {"type": "group"}, Idempotency_Key=f"k{n}") for n in range(4)
    ]
    assert [one.status_code for one in made] == [201, 201, 201, 429]
    again = await ann.call("POST", "/api/channels", {"type": "group"}, Idempotency_Key="k1")
    assert (again.status_code, again.json()["id"]) == (201, made[1].json()["id"])
    assert error_code(await ann.call("POST", "/api/channels", {"type": "group"})) == "rate_limited"
    # Looking for repeats is a read, so that it has an end as well.
    await choose(tenant, write={"user": SMALL}, read={"user": {"perSecond": 0.01, "burst": 1}})
    ends = [
        await ann.call("POST", "/api/channels", {"type": "group"}, Idempotency_Key="k1") for _ in range(6)
    ]
    assert ends[-1].status_code == 429


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        ("read", "GET", "/api/users/me"),
        ("search", "GET", "/api/search?q=x"),
        ("write", "PATCH", "/api/users/me"),
    ],
)
async def test_each_kind_of_call_has_a_limit_of_its_own(
    tenant: Tenant, kind: str, method: str, path: str
) -> None:
    ann = await tenant.user("ann")
    await choose(tenant, **{kind: {"user": SMALL}})
    body: Any = None if method == "GET" else {}
    answers = [await ann.call(method, path, body) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["error"]["details"][0]["path"] == f"{kind}.user"
    assert (await tenant.server("GET", "/api/users")).status_code == 200


async def test_settings_show_what_was_chosen_and_refuse_nonsense(tenant: Tenant) -> None:
    await choose(tenant, send={"channel": SMALL})
    shown = (await tenant.server("GET", "/api/app/settings")).json()["rateLimits"]
    assert shown["send"] == {"app": None, "user": None, "channel": {"perSecond": 0.01, "burst": 3}}
    assert shown["read"] == {"app": None, "user": None}
    nonsense: list[Any] = [
        {"send": {"user": {"perSecond": 5e-324, "burst": 1}}},
        {"read": {"channel": SMALL}},
        {"x": {}},
    ]
    for wrong in nonsense:
        refused = await tenant.server("PATCH", "/api/app/settings", {"rateLimits": wrong})
        assert refused.status_code == 422, wrong
