"""The words of the dispatch loop: a leased delivery, where it goes, and what came of it. No behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chatsdk_runtime.outgoing.exchange import SendResult
from webhook_dispatcher.dispatch.endpoint_rules import EndpointState, Trigger
from webhook_dispatcher.dispatch.ladder import Ladder
from webhook_dispatcher.dispatch.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Session:
    """A worker as leases name it; a worker that was declared dead comes back with the next generation."""

    id: UUID
    generation: int


class Lease(NamedTuple):
    """A delivery that this session may attempt; `attempt` is the number that the next request carries.

    Of the attempts before it, `probes` were made to learn how its endpoint is, and count on no ladder.
    `resume_status` is what the delivery is again when the attempt fails: that of a replayed one, or exhausted.
    """

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
    is_probe: bool = False
    probes: int = 0
    app_id: str = ""
    order_key: str | None = None

    @property
    def kind(self) -> Trigger:
        """Why the attempt is made."""
        if self.is_test:
            return "test"
        if self.is_probe:
            return "probe"
        if self.replay:
            return "replay"
        if self.resume_status == "exhausted":
            return "drain"
        return "first" if self.attempt == 1 else "retry"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook's deliveries go, the live secrets, newest first, and its ladder. Read right before sending."""

    url: str
    secrets: tuple[str, ...]
    state: EndpointState
    ladder: Ladder

    def takes(self, lease: Lease) -> bool:
        """Whether this delivery may be sent there now; a failing endpoint gets probes only."""
        return self.state == "active" or (lease.is_probe and self.state == "failing")


@dataclass(frozen=True, slots=True)
class Finished:
    """One attempt with its judgement; `ended_s` is monotonic, so that waits run from the attempt's end."""

    lease: Lease
    result: SendResult
    outcome: Outcome
    ladder: Ladder
    started_at: datetime
    ended_s: float
