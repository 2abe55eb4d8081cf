"""Receivers that hang cost nobody else anything."""

import pytest

from tests.fixtures.dispatcher import Api, EventSource, make_event
from tests.fixtures.hostility import endlessly, hang
from tests.fixtures.receiver import Receiver
from tests.waiting import wait_for


async def test_endpoints_that_hang_or_drip_hold_nobody_else_up(
    api: Api, source: EventSource, request: pytest.FixtureRequest
) -> None:
    """A hundred of them, and none of their requests ends before all others are served."""
    drip = endlessly(lambda _: b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", pause_s=0.05)
    async with Receiver() as receiver:
        for number in range(100):
            await api.webhook(f"{receiver.url}/bad/{number}", "message.new")
            receiver.always(hang if number % 3 else drip, path=f"/bad/{number}")
        for number in range(30):
            await api.webhook(f"{receiver.url}/well/{number}", "message.updated")
        await source.publish(*(make_event(request.node.name) for _ in range(5)))
        # One for each, as it is not known yet; then it is a slow one, and they have their half.
        await receiver.wait_for(100)
        for _ in range(3):
            await source.publish(make_event(request.node.name, "message.updated"))

        def served() -> bool:
            return sum(one.path.startswith("/well/") for one in receiver.received) == 90

        await wait_for(served, 8, "all of those that are well")
        for webhook in (await api.ok("GET", "/api/webhooks?limit=100"))["webhooks"]:
            await api.ok("DELETE", f"/api/webhooks/{webhook['id']}")
