"""The words of the dispatch loop: a leased delivery, where it goes, and what came of it. No behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from chatsdk_runtime.outgoing.exchange import SendResult
from webhook_dispatcher.dispatch.endpoint_rules import EndpointState
from webhook_dispatcher.dispatch.outcome import Outcome

AttemptKind = Literal["first", "retry", "replay", "test"]


@dataclass(frozen=True, slots=True)
class Session:
    """A worker as leases name it; a worker that was declared dead comes back with the next generation."""

    id: UUID
    generation: int


class Lease(NamedTuple):
    """A delivery that this session may attempt; `attempt` is the number that the next request carries."""

    delivery_id: UUID
    webhook_id: UUID
    event_id: str
    event_type: str
    order_no: int
    attempt: int
    replay: bool
    resume_status: str | None
    generation: int
    is_test: bool = False

    @property
    def kind(self) -> AttemptKind:
        """What the attempt is recorded as."""
        if self.is_test:
            return "test"
        return "replay" if self.replay else "first" if self.attempt == 1 else "retry"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook's deliveries go, and the live secrets, newest first. Read right before sending."""

    url: str
    secrets: tuple[str, ...]
    state: EndpointState


@dataclass(frozen=True, slots=True)
class Finished:
    """One attempt with its judgement; `ended_s` is monotonic, so that waits run from the attempt's end."""

    lease: Lease
    result: SendResult
    outcome: Outcome
    started_at: datetime
    ended_s: float
