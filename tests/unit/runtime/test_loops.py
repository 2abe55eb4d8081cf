"""Supervised loops: an outage is waited out, a bug ends the process."""

import asyncio

from chatsdk_runtime.loops import BackgroundLoops, Heartbeat
from tests.waiting import wait_for


async def test_a_loop_that_meets_an_outage_runs_again() -> None:
    loops = BackgroundLoops(outages=(ConnectionError,))
    runs: list[str | None] = []

    async def run(heartbeat: Heartbeat) -> None:
        runs.append(heartbeat.outage)
        if len(runs) < 3:
            raise ConnectionRefusedError("away")
        heartbeat.beat()
        await asyncio.Event().wait()

    loops.start("relay", run)
    await wait_for(lambda: len(runs) == 3, what="the third run")
    assert runs == [None, "ConnectionRefusedError: away", "ConnectionRefusedError: away"]
    assert loops.heartbeats[0].outage is None
    assert not loops.failed.is_set()
    await loops.stop()
    assert loops.heartbeats == []


async def test_a_failure_that_is_no_outage_is_told_once_and_not_tried_again() -> None:
    loops = BackgroundLoops(outages=(ConnectionError,))
    runs: list[int] = []

    async def run(heartbeat: Heartbeat) -> None:
        runs.append(1)
        raise KeyError("bug")

    loops.start("relay", run)
    await asyncio.wait_for(loops.failed.wait(), 5)
    assert isinstance(loops.failure, KeyError)
    assert runs == [1]
    await loops.stop()


async def test_stopping_cancels_the_last_started_first() -> None:
    loops = BackgroundLoops(outages=())
    ended: list[str] = []

    async def run(heartbeat: Heartbeat) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(heartbeat.name)

    for name in ("one", "two", "three"):
        loops.start(name, run)
    await asyncio.sleep(0)
    await loops.stop()
    assert ended == ["three", "two", "one"]
    assert not loops.failed.is_set()


def test_a_heartbeat_is_stale_when_it_is_too_old() -> None:
    heartbeat = Heartbeat("relay", stale_after_s=10)
    seen = [heartbeat.is_stale]
    heartbeat.last_s -= 11
    seen.append(heartbeat.is_stale)
    heartbeat.outage = "away"
    heartbeat.beat()
    seen.append(heartbeat.is_stale)
    assert seen == [False, True, False]
    assert heartbeat.outage is None
