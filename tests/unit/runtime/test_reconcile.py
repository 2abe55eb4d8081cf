"""The contiguous position, and the loop that compares it with what chat has published."""

import asyncio
from collections.abc import Sequence

from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from chatsdk_runtime.loops import Heartbeat
from chatsdk_runtime.reconcile import Reconciler, advance
from chatsdk_runtime.service_client import ChatClient, LoggedEvent
from tests.waiting import wait_for


@given(st.integers(0, 50), st.lists(st.integers(1, 80)))
def test_a_position_moves_to_the_last_before_a_gap(position: int, handled: list[int]) -> None:
    moved = advance(position, handled)
    assert moved >= position
    assert set(range(position + 1, moved + 1)) <= set(handled)
    assert moved + 1 not in handled


@given(st.permutations(range(1, 30)))
def test_positions_may_come_in_any_order(order: list[int]) -> None:
    assert advance(0, order) == 29


@given(st.integers(0, 50), st.lists(st.integers(1, 60)), st.lists(st.integers(1, 60)))
def test_repeats_move_nothing(position: int, handled: list[int], again: list[int]) -> None:
    moved = advance(position, handled)
    assert advance(moved, [one for one in again if one <= moved]) == moved


async def test_what_is_missing_is_fetched_page_by_page_until_the_published_position() -> None:
    given_pages: list[tuple[int, int, list[int], int]] = []
    positions = {3: 4}

    async def read_positions() -> dict[int, int]:
        return positions

    async def handle(lane: int, after: int, events: Sequence[LoggedEvent], covers_to: int) -> None:
        given_pages.append((lane, after, [event.pos for event in events], covers_to))
        positions[lane] = covers_to

    async def answer(request: web.Request) -> web.Response:
        if len(asked) < 2:
            asked.append(request.path)
            return web.Response(status=503)
        if request.path == "/internal/lanes":
            lanes = [{"lane": lane, "nextPos": 12, "publishedPos": 11} for lane in (3,)]
            return web.json_response({"lanes": lanes})
        after = int(request.query["after"])
        page = list(range(after + 1, min(after + 4, 11) + 1))
        events = [{"pos": pos, "body": "{}"} for pos in page]
        return web.json_response({"events": events, "nextAfter": page[-1] if page else 11})

    asked: list[str] = []
    application = web.Application()
    application.router.add_get("/internal/{rest}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    chat = ChatClient(f"http://127.0.0.1:{runner.addresses[0][1]}", "t")
    await chat.open()
    heartbeat = Heartbeat("reconcile", 60)
    loop = Reconciler(chat, read_positions=read_positions, handle=handle, interval_s=0.02, grace_s=0)
    task = asyncio.create_task(loop.run(heartbeat))
    try:
        await wait_for(lambda: positions[3] == 11, what="the lane to be handled")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await chat.close()
        await runner.cleanup()
    assert given_pages == [(3, 4, [5, 6, 7, 8], 8), (3, 8, [9, 10, 11], 11)]
    assert asked == ["/internal/lanes"] * 2
