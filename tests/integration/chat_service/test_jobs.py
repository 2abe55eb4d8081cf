"""The loop of jobs: one holder at a time, a failing job put back with growing pauses and given up, others unharmed."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from chat_service.errors import StorageAway
from chat_service.instruments import JobInstruments
from chat_service.jobs import store
from chat_service.jobs.rules import MOST_FAILURES, Job, JobKind, NotNow
from chat_service.jobs.worker import JobWorker
from chatsdk_contracts.ids import AppId, UserId, new_id
from chatsdk_runtime.postgres import transaction
from tests.integration.chat_service.calling import Chat, Tenant
from tests.integration.chat_service.erasing import bench_of, claimed


async def asked(tenant: Tenant, kind: JobKind = "export") -> Job:
    job = Job(new_id(), AppId(tenant.id), kind, datetime.now(UTC), user_id=UserId(f"u-{uuid4()}"))
    async with transaction(tenant.chat.resources.pool) as tx:
        return await store.insert(tx, job)


async def row_of(chat: Chat, job: Job) -> tuple[str, int, float]:
    """State, failures, and in how many seconds the job is due."""
    [row] = await chat.sql(
        "select state, failures, extract(epoch from run_after - now())::float as due_s from job where id = $1::uuid",
        job.id,
    )
    return row["state"], row["failures"], row["due_s"]


class Work:
    """What the tests have jobs do; counts the chunks."""

    def __init__(self, chat: Chat) -> None:
        self.bench = bench_of(chat)
        self.registry = CollectorRegistry()
        self.problem: Exception | None = None
        self.chunks = 0
        self.worker = JobWorker(
            self.bench,
            {"export": self.advance},
            poll_s=0.01,
            wake_relay=lambda: None,
            instruments=JobInstruments(self.registry),
        )

    async def advance(self, job: Job) -> Job:
        self.chunks += 1
        if self.problem is not None:
            raise self.problem
        return await self.bench.save_alone(job.done(datetime.now(UTC)) if job.step else job.at("second"))

    def counted(self, result: str) -> float:
        return (
            self.registry.get_sample_value("chatsdk_jobs_total", {"kind": "export", "result": result}) or 0.0
        )


@pytest.fixture
async def work(chat: Chat) -> Work:
    await chat.sql("delete from job")
    return Work(chat)


async def test_a_job_is_done_by_one_of_many_and_once(tenant: Tenant, work: Work) -> None:
    jobs = [await asked(tenant) for _ in range(3)]
    await asyncio.gather(*(work.worker.work() for _ in range(6)))
    assert work.chunks == 6
    assert work.counted("done") == 3
    assert {(await row_of(tenant.chat, job))[0] for job in jobs} == {"done"}
    assert not await work.worker.work()


async def test_asking_twice_for_the_same_is_one_job_until_it_is_done(tenant: Tenant, work: Work) -> None:
    job = await asked(tenant)
    async with transaction(tenant.chat.resources.pool) as tx:
        again = await store.insert(
            tx, Job(new_id(), job.app_id, "export", job.created_at, user_id=job.user_id)
        )
        other = await store.insert(
            tx,
            Job(
                new_id(), job.app_id, "export", job.created_at, user_id=job.user_id, requested_by=job.user_id
            ),
        )
    assert again.id == job.id != other.id
    while await work.worker.work():
        pass
    async with transaction(tenant.chat.resources.pool) as tx:
        later = await store.insert(
            tx, Job(new_id(), job.app_id, "export", job.created_at, user_id=job.user_id)
        )
    assert later.id != job.id


async def test_a_job_that_fails_rests_longer_each_time_and_is_given_up_at_last(
    tenant: Tenant, work: Work
) -> None:
    job = await asked(tenant)
    work.problem = RuntimeError("our bug")
    rests = []
    for failures in (0, 1, 2, MOST_FAILURES - 1):
        await tenant.chat.sql(
            "update job set run_after = now(), failures = $2 where id = $1::uuid", job.id, failures
        )
        assert await work.worker.work()
        rests.append((await row_of(tenant.chat, job))[2])
    assert (await row_of(tenant.chat, job))[:2] == ("failed", MOST_FAILURES)
    assert rests[:3] == sorted(rests[:3])
    assert (work.counted("failed"), work.counted("given_up")) == (3, 1)
    assert not await work.worker.work()


@pytest.mark.parametrize("problem", [NotNow("held", pause_s=600.0), StorageAway()])
async def test_what_is_nobodys_fault_is_no_failure(tenant: Tenant, work: Work, problem: Exception) -> None:
    job = await asked(tenant)
    work.problem = problem
    await work.worker.work()
    state, failures, due_s = await row_of(tenant.chat, job)
    assert (state, failures) == ("waiting", 0)
    assert due_s > 1
    assert work.counted("waits") == 1


async def test_a_lease_that_ran_out_is_anothers(tenant: Tenant, work: Work) -> None:
    job = await asked(tenant)
    first = await claimed(tenant.chat, "export")
    assert first is not None
    assert await claimed(tenant.chat, "export") is None
    await tenant.chat.sql("update job set lease_until = now() - interval '1 s' where id = $1::uuid", job.id)
    second = await claimed(tenant.chat, "export")
    assert second is not None
    with pytest.raises(store.LeaseLost):
        await work.bench.renew(first)
    with pytest.raises(store.LeaseLost):
        await work.bench.save_alone(first.at("stale"))
    await work.bench.renew(second)
