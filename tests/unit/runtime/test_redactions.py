"""Which redactions may be followed now: none before the event itself was handled."""

import pytest

from chatsdk_runtime.redactions import ready
from chatsdk_runtime.service_client import Redaction


def redaction(pos: int, lane: int | None, lane_pos: int | None, body: bytes | None = b"{}") -> Redaction:
    return Redaction(pos, f"event-{pos}", lane, lane_pos, body)


@pytest.mark.parametrize(
    ("page", "handled", "expected"),
    [
        ([], {}, []),
        ([redaction(1, 0, 5)], {0: 5}, [1]),
        ([redaction(1, 0, 5)], {0: 4}, []),
        # A lane of which nothing was handled yet.
        ([redaction(1, 3, 1)], {0: 5}, []),
        # Not numbered yet, so that nobody can have handled it.
        ([redaction(1, 0, None)], {0: 5}, []),
        # The order is kept: what is behind one that waits, waits.
        ([redaction(1, 0, 5), redaction(2, 1, 9), redaction(3, 0, 1)], {0: 5, 1: 8}, [1]),
        # Out of the log: whoever has a copy lets it go by age.
        ([redaction(1, None, None, None), redaction(2, 0, 1)], {0: 1}, [1, 2]),
    ],
)
def test_a_page_is_followed_up_to_the_first_event_that_is_not_handled(
    page: list[Redaction], handled: dict[int, int], expected: list[int]
) -> None:
    assert [one.pos for one in ready(page, handled)] == expected
