"""Pure decisions of the relay: fair shares, positions, windows, what is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chat_service.events.store import NumberedEvent
from chatsdk_contracts.topology import routing_key
from chatsdk_runtime.rabbit import OutgoingMessage

LARGEST_WINDOW = 256


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


def outgoing(event: NumberedEvent) -> OutgoingMessage:
    """The broker message of an event: the stored bytes, unchanged."""
    headers: dict[str, object] = {"lane": event.lane, "lane-pos": event.pos}
    if event.copies:
        headers["CC"] = list(event.copies)
    return OutgoingMessage(
        routing_key=routing_key(event.type, event.app_id, event.subject),
        body=event.body,
        message_id=event.id,
        type=event.type,
        headers=headers,
    )
