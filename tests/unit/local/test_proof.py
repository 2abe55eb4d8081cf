"""What counts as proved: the very message, as a new one, told by the receiver."""

from typing import Any

import pytest

from deploy.local.loopback import Reply
from deploy.local.proof import find_message, latency_ms


def _entry(message: str, kind: str = "message.new") -> dict[str, Any]:
    body = {"id": "event", "type": kind, "time": "2026-01-01T12:00:00.250Z", "data": {"id": message}}
    return {
        "id": "event",
        "type": kind,
        "verified": True,
        "receivedAt": "2026-01-01T12:00:00.263Z",
        "body": body,
    }


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(0, "refused"), id="nobody answers"),
        pytest.param(Reply(200, {"received": [], "count": 0}), id="nothing came"),
        pytest.param(Reply(200, {"received": [_entry("other")], "count": 1}), id="another message"),
        pytest.param(
            Reply(200, {"received": [_entry("m", "message.updated")], "count": 1}), id="another event"
        ),
        pytest.param(
            Reply(200, {"received": [{**_entry("m"), "type": "x", "body": "text"}], "count": 1}),
            id="no event",
        ),
    ],
)
def test_anything_but_the_message_is_no_proof(reply: Reply) -> None:
    assert find_message(reply, "m") is None


def test_the_message_is_found_among_others() -> None:
    reply = Reply(200, {"received": [_entry("m"), _entry("other")], "count": 2})

    assert find_message(reply, "m") == _entry("m")


def test_the_latency_is_from_the_events_time_to_the_receivers_clock() -> None:
    assert latency_ms(_entry("m")) == pytest.approx(13)
