"""A led lane between its numbers and the broker's confirmations. No I/O.

Events wait in `buffer`, go out in order, and are `in_flight` until the broker has confirmed them; what is confirmed
without a hole is published. A refusal stops the lane: once all that is under way was answered, it starts again at the
refused event with one message at a time. What went out behind it comes again then, and consumers drop it by id.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chat_service.events.rules import NumberedEvent, next_window
from chatsdk_runtime.rabbit import Confirmation, refusal_of

FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_BUFFERED: Final = 5_000


@dataclass(frozen=True, slots=True)
class Posted:
    """An event on its way; `posted_s` by the monotonic clock."""

    event: NumberedEvent
    confirmation: Confirmation
    posted_s: float


@dataclass(slots=True)
class Lane:
    """A led lane's state in memory; the database's is the truth."""

    published_pos: int = 0
    next_pos: int = 1
    window: int = 16
    not_before_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    buffer: deque[NumberedEvent] = field(default_factory=deque)
    in_flight: deque[Posted] = field(default_factory=deque)

    @property
    def posted_pos(self) -> int:
        """The last position that went out."""
        return self.in_flight[-1].event.pos if self.in_flight else self.published_pos

    @property
    def is_published(self) -> bool:
        """Whether the broker has everything."""
        return self.next_pos - 1 <= self.published_pos

    def room(self, now_s: float) -> int:
        """How many events may go out now: none while the lane pauses, or waits for the answers behind a refusal."""
        if now_s < self.not_before_s or self.posted_pos >= self.next_pos - 1:
            return 0
        if self.in_flight and self.in_flight[0].confirmation.done():
            return 0
        return max(0, self.window - len(self.in_flight))

    @property
    def has_next(self) -> bool:
        """Whether the buffer goes on where what went out ends; else the log has to be read."""
        return bool(self.buffer) and self.buffer[0].pos == self.posted_pos + 1

    def keep(self, event: NumberedEvent) -> None:
        """Take an event that was just numbered, if it follows what is known and there is room; else the log has it."""
        expected = self.buffer[-1].pos + 1 if self.buffer else self.posted_pos + 1
        if event.pos == expected and len(self.buffer) < _BUFFERED:
            self.buffer.append(event)

    def refill(self, events: Sequence[NumberedEvent]) -> None:
        """Go on with what the log has."""
        self.buffer = deque(events)

    def confirm(self) -> int:
        """Move over what the broker confirmed without a hole; returns how many events that were."""
        confirmed = 0
        while self.in_flight and _is_taken(self.in_flight[0].confirmation):
            self.published_pos = self.in_flight.popleft().event.pos
            confirmed += 1
        if confirmed:
            self.window = next_window(self.window, failed=False)
            self.pause_s = FIRST_PAUSE_S
        return confirmed

    def stop_at_refusal(self) -> tuple[NumberedEvent, str] | None:
        """Start again at the refused event, after a pause, when the broker has answered for all; why, then."""
        if not self.in_flight or not all(one.confirmation.done() for one in self.in_flight):
            return None
        first = self.in_flight[0]
        reason = refusal_of(first.confirmation)
        if reason is None:
            return None
        self.rewind()
        self.window = next_window(self.window, failed=True)
        self.not_before_s = time.monotonic() + self.pause_s
        self.pause_s = min(self.pause_s * 2, _LONGEST_PAUSE_S)
        return first.event, reason

    def rewind(self) -> None:
        """What is not confirmed has to go out again."""
        self.buffer.extendleft(one.event for one in reversed(self.in_flight))
        self.in_flight.clear()


def _is_taken(confirmation: Confirmation) -> bool:
    return confirmation.done() and refusal_of(confirmation) is None
