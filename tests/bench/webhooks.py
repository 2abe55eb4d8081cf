"""Rows 4 and 5: from commit to the receiver, and deliveries a second against a bare loop of POSTs."""

import subprocess
import sys

from deploy.local.instance import Instance
from tests.bench.http_client import LoadPlan, load
from tests.bench.stack import SENDERS, Receiver, Stack, example_event
from tests.bench.table import Row, median, percentile
from tests.fixtures.slot import ROOT

_RATE = 200
_LATENCY_S = 10
_RUNS = 3
_AT_ONCE_PER_WEBHOOK = 10  # the dispatcher's own default, for the yardstick as well
_DELIVERIES = 4_000


async def latency_rows(instance: Instance) -> list[Row]:
    """200 sends a second for 10 s with everything running, to one webhook.

    The clock starts with the event's `time`, taken at the start of the transaction that commits it: the commit
    itself counts as well, and up to a millisecond that `time` does not carry.
    """
    stack, receiver = Stack(instance), Receiver(instance)
    try:
        for service in ("chat", "webhooks", "metrics"):
            stack.start(service)
        stack.make_content()
        _register(stack, receiver, 1)
        plan = LoadPlan(stack.port("chat"), stack.paths(channels=SENDERS), stack.api_key, 10)
        await load(plan)
        receiver.wait_for(10 * SENDERS, 30)
        receiver.ask("reset")
        each = _RATE * _LATENCY_S // SENDERS
        report = await load(LoadPlan(plan.port, plan.paths, plan.api_key, each, rate=_RATE))
        ordered = sorted(receiver.wait_for(each * SENDERS, 30)["latenciesMs"])
        p50, p99 = percentile(ordered, 0.5), percentile(ordered, 0.99)
        return [
            Row(
                f"commit -> receiver at {report.per_s:.0f}/s for {_LATENCY_S} s",
                f"p50 {p50:.1f}, p99 {p99:.1f} ms, {len(ordered)} of {each * SENDERS} received",
                goal="p50 <= 15, p99 <= 50 ms",
                met=p50 <= 15 and p99 <= 50,
                processes="chat, dispatcher, metrics, PostgreSQL, RabbitMQ, load client, receiver",
            )
        ]
    finally:
        receiver.close()
        stack.close()


async def delivery_rows(instance: Instance) -> list[Row]:
    """A queue full of events, then the dispatcher starts: from the first delivery to the last."""
    return [
        await _drained(instance, 1, 0.4),
        await _drained(instance, 10, 0.5),
    ]


async def _drained(instance: Instance, webhooks: int, goal: float) -> Row:
    stack, receiver = Stack(instance), Receiver(instance)
    try:
        stack.start("chat")
        stack.make_content()
        stack.start("webhooks")
        _register(stack, receiver, webhooks)
        stack.stop("webhooks")
        ours: list[float] = []
        bare: list[float] = []
        at_once = _AT_ONCE_PER_WEBHOOK * webhooks
        for _ in range(_RUNS):
            await _fill(stack, _DELIVERIES // webhooks)
            bare.append(_bare_loop(receiver, at_once, example_event(instance, stack)))
            receiver.ask("reset")
            stack.start("webhooks")
            ours.append(_per_s(receiver.wait_for(_DELIVERIES // webhooks * webhooks, 120)))
            stack.stop("webhooks")
        ratio = median([own / other for own, other in zip(ours, bare, strict=True)])
        return Row(
            f"deliveries, {webhooks} webhook{'s' if webhooks > 1 else ''} per event",
            f"{median(ours):,.0f}/s",
            f"aiohttp POST loop, {at_once} at once {median(bare):,.0f}/s",
            ratio,
            f">= {goal}x",
            ratio >= goal,
            "chat (idle), dispatcher, PostgreSQL, RabbitMQ, receiver",
        )
    finally:
        receiver.close()
        stack.close()


def _register(stack: Stack, receiver: Receiver, webhooks: int) -> None:
    for number in range(webhooks):
        wanted = {"url": f"{receiver.url}/hook/{number}", "events": ["message.new"]}
        stack.post("webhook-dispatcher", "/api/webhooks", wanted)


async def _fill(stack: Stack, events: int) -> None:
    """Put events into the dispatcher's queue: sent, stored and published as ever."""
    await load(LoadPlan(stack.port("chat"), stack.paths(channels=SENDERS), stack.api_key, events // SENDERS))
    rest = events % SENDERS
    if rest:
        await load(LoadPlan(stack.port("chat"), stack.paths(channels=SENDERS)[:rest], stack.api_key, 1))
    await stack.wait_published()


def _bare_loop(receiver: Receiver, at_once: int, body: bytes) -> float:
    receiver.ask("reset")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.bench.bare_poster",
            f"{receiver.url}/bare",
            str(at_once),
            str(_DELIVERIES),
        ],
        input=body,
        cwd=ROOT,
        check=True,
        timeout=120,
    )
    return _per_s(receiver.ask("stats"))


def _per_s(stats: dict[str, float]) -> float:
    return stats["count"] / (stats["last"] - stats["first"])
