"""Pure decisions of the relay: fair shares, positions, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LARGEST_WINDOW = 256
LOG_KEPT_DAYS = 30
"""How long an event can be read again: by the other services, and by clients that were away."""


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """An event with its place in its lane, and what publishing it needs."""

    lane: int
    pos: int
    id: str
    app_id: str
    type: str
    subject: str
    copies: Sequence[str]
    body: bytes


def fair_share(lanes: int, replicas: int) -> int:
    """How many lanes one replica leads when all do their part."""
    return -(-lanes // max(1, replicas))


def positions_for(
    lanes: Sequence[int], next_positions: Mapping[int, int]
) -> tuple[list[int], dict[int, int]]:
    """Dense positions for events given lane by lane in order; and each lane's next free position."""
    following = dict(next_positions)
    given = []
    for lane in lanes:
        given.append(following[lane])
        following[lane] += 1
    return given, {lane: following[lane] for lane in set(lanes)}


def next_window(window: int, *, failed: bool) -> int:
    """How many unconfirmed messages a lane may have: one after a failure, doubled after a success."""
    return 1 if failed else min(window * 2, LARGEST_WINDOW)
