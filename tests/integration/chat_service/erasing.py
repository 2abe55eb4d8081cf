"""Jobs done in this process, and a look into every corner of the database."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import httpx2
import orjson
from prometheus_client import CollectorRegistry

from chat_service.erasure import work as erasure
from chat_service.exports import writing as exports
from chat_service.imports import work as imports
from chat_service.instruments import JobInstruments
from chat_service.jobs import store
from chat_service.jobs.bench import Bench
from chat_service.jobs.rules import Job, JobKind
from chat_service.jobs.worker import JobWorker
from chatsdk_runtime.postgres import reading
from tests.integration.chat_service.calling import Caller, Chat, Tenant
from tests.integration.chat_service.writing_everywhere import ok


def bench_of(chat: Chat, lease_s: float = 30.0) -> Bench:
    return Bench(chat.resources.pool, chat.resources.depot.objects, 1, lease_s)


def worker_of(chat: Chat) -> JobWorker:
    bench = bench_of(chat)
    return JobWorker(
        bench,
        {
            "erase": partial(erasure.advance, bench),
            "export": partial(exports.advance, timedelta(hours=1), bench),
            "import": partial(imports.advance, bench),
        },
        poll_s=0.01,
        wake_relay=lambda: None,
        instruments=JobInstruments(CollectorRegistry()),
    )


async def claimed(chat: Chat, kind: JobKind) -> Job | None:
    """A job that is due, taken by a holder of its own."""
    async with reading(chat.resources.pool) as connection:
        return await store.claim(connection, uuid4(), kinds=[kind], lease_s=30.0)


async def do_jobs(chat: Chat) -> None:
    """Do what is due, all of it, as if its time had come."""
    await chat.sql("update job set run_after = now() where state = 'waiting'")
    while await worker_of(chat).work():
        pass


async def erased(tenant: Tenant, user_id: str, **body: Any) -> dict[str, Any]:
    """Erase a user, to the end."""
    asked = await tenant.server("POST", f"/api/users/{user_id}/erase", body)
    assert asked.status_code == 202, asked.text
    await do_jobs(tenant.chat)
    shown: dict[str, Any] = (await tenant.server("GET", f"/api/erasures/{asked.json()['id']}")).json()
    assert shown["status"] == "done", shown
    return shown


async def exported(who: Caller | Tenant, path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The finished export, and its lines."""
    asked = await ok(who, "POST", path)
    await do_jobs(who.chat)
    export = await ok(who, "GET", f"/api/exports/{asked['id']}")
    assert export["status"] == "done", export
    content = await fetch(who, export)
    assert content.status_code == 200
    assert content.headers["content-type"].startswith("application/x-ndjson")
    assert len(content.content) == export["size"] == int(content.headers["content-length"])
    return export, [orjson.loads(line) for line in content.content.splitlines()]


async def fetch(who: Caller | Tenant, export: dict[str, Any]) -> httpx2.Response:
    """Ask for the content of an export."""
    call = who.server if isinstance(who, Tenant) else who.call
    return await call("GET", f"/api/exports/{export['id']}/content")


async def found_in(chat: Chat, word: str) -> list[str]:
    """The tables in which a word stands, in whatever column, also inside bytes and documents."""
    tables = await chat.sql(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1"
    )
    found = []
    for (table,) in tables:
        rows = await chat.sql(
            f'select count(*) from "{table}" as t where position($1 in t::text) > 0'
            " or position(encode(convert_to($1, 'utf8'), 'hex') in t::text) > 0",
            word,
        )
        if rows[0][0]:
            found.append(f"{table}: {rows[0][0]}")
    return found
