"""Rows 1 to 3: sends over HTTP against a no-op, and how fast the relay catches up."""

import os
import sys
import time
from dataclasses import dataclass, replace

from deploy.local import ports
from deploy.local.instance import Instance
from deploy.local.loopback import call
from tests.bench.http_client import LoadPlan, LoadReport, load
from tests.bench.stack import SENDERS, Process, Stack
from tests.bench.table import Row, median
from tests.waiting import wait_for

_RUNS = 3
_REQUESTS = 150  # per sender and run
_WARM_UP = 20
_BACKLOG = 10_000
_PROCESSES = "chat, PostgreSQL, RabbitMQ, load client; consumers stopped"


async def send_rows(instance: Instance) -> list[Row]:
    """16 senders on 16 channels and on one, each run between two of the no-op."""
    stack = Stack(instance)
    noop_port = ports.choose(23_060)
    noop = Process(
        "noop",
        [sys.executable, "-m", "tests.bench.noop_server", str(noop_port)],
        dict(os.environ),
        instance.directory / "logs" / "noop.log",
    )
    try:
        noop.wait_ready(f"http://127.0.0.1:{noop_port}/openapi.json")
        chat = stack.start("chat")
        stack.make_content()
        many = LoadPlan(stack.port("chat"), stack.paths(channels=SENDERS), stack.api_key, _REQUESTS, _WARM_UP)
        one = replace(many, paths=stack.paths(channels=1))
        nothing = replace(many, port=noop_port)
        runs: dict[str, list[_Run]] = {"noop": [], "many": [], "one": []}
        for plan in (nothing, many):
            await load(plan)
        for _ in range(_RUNS):
            for name, server, plan in (("noop", noop, nothing), ("many", chat, many), ("one", chat, one)):
                await stack.wait_published()
                runs[name].append(await _measured(stack, server, plan))
        return [
            _row("HTTP send, 16 senders on 16 channels", runs["many"], runs["noop"]),
            _row("HTTP send, 16 senders on one channel", runs["one"], runs["noop"]),
        ]
    finally:
        noop.stop()
        ports.release(noop_port)
        stack.close()


@dataclass(frozen=True)
class _Run:
    """One run; `cpu_us`: processor time of the server for each request, until the relay is done with it."""

    load: LoadReport
    cpu_us: float


async def _measured(stack: Stack, server: Process, plan: LoadPlan) -> _Run:
    before_s = server.cpu_s
    report = await load(plan)
    await stack.wait_published()
    requests = len(plan.paths) * (plan.requests + plan.warm_up)
    return _Run(report, (server.cpu_s - before_s) / requests * 1e6)


def _row(name: str, ours: list[_Run], noop: list[_Run]) -> Row:
    ratios = [own.load.per_s / other.load.per_s for own, other in zip(ours, noop, strict=True)]
    ratio, p99 = median(ratios), median([run.load.p99_ms for run in ours])
    return Row(
        name,
        _told(ours),
        "no-op POST " + _told(noop),
        ratio,
        ">= 0.5x, p99 <= 40 ms",
        ratio >= 0.5 and p99 <= 40,
        _PROCESSES,
    )


def _told(runs: list[_Run]) -> str:
    per_s, p50, p99 = (
        median([getattr(run.load, name) for run in runs]) for name in ("per_s", "p50_ms", "p99_ms")
    )
    cpu_us = median([run.cpu_us for run in runs])
    return f"{per_s:,.0f}/s, p50 {p50:.1f}, p99 {p99:.1f} ms, CPU {cpu_us:,.0f} us"


async def backlog_rows(instance: Instance) -> list[Row]:
    """10,000 events stored and numbered while the broker is down; then it comes back."""
    stack = Stack(instance)
    try:
        chat = stack.start("chat")
        stack.make_content()
        instance.rabbitmq.stop()
        plan = LoadPlan(stack.port("chat"), stack.paths(channels=SENDERS), stack.api_key, _BACKLOG // SENDERS)
        await load(plan)
        behind = await stack.unpublished()
        instance.rabbitmq.start()
        returned_s = time.perf_counter()
        connected_s, before_s = await _connected(stack), chat.cpu_s
        await stack.wait_published()
        done_s, cpu_s = time.perf_counter(), chat.cpu_s - before_s
        drained_s = done_s - connected_s
        return [
            Row(
                f"relay backlog of {behind:,} events",
                f"{drained_s:.2f} s, {behind / drained_s:,.0f}/s, CPU {cpu_s:.1f} s"
                f" (reconnected {connected_s - returned_s:.1f} s after the broker was back)",
                goal="< 4 s",
                met=drained_s < 4,
                processes=_PROCESSES,
            )
        ]
    finally:
        stack.close()


async def _connected(stack: Stack) -> float:
    """When the relay has a connection again: that is when the drain begins."""

    def connected() -> bool:
        answer = call("GET", f"{stack.urls['chat-ops']}/metrics")
        return "chatsdk_relay_broker_connected 1.0" in str(answer.body)

    await wait_for(connected, 30, "the relay connects again")
    return time.perf_counter()
