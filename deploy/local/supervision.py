"""When to start a process again: the rule alone, with the time passed in.

A process that lived for a while starts again at once; one that keeps dying waits longer each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.processes import Identity

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
SETTLED_S = 10.0
"""Who lived this long is forgiven what was before."""


def delay_after(failures: int) -> float:
    """Seconds to wait before the next start, after so many early deaths in a row."""
    return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**failures))


@dataclass
class Ward:
    """One process under supervision. `start` launches it and doesn't wait."""

    name: str
    start: Callable[[], Identity]
    identity: Identity | None = None
    failures: int = 0
    started_at: float = 0.0
    due_at: float = 0.0

    def begun(self, identity: Identity, now: float) -> None:
        """It runs."""
        self.identity, self.started_at = identity, now

    def ended(self, now: float) -> float:
        """It is gone. Returns in how many seconds it is due again."""
        self.failures = 0 if now - self.started_at >= SETTLED_S else self.failures + 1
        self.identity = None
        delay = delay_after(self.failures)
        self.due_at = now + delay
        return delay

    def is_due(self, now: float) -> bool:
        """Whether it should be started now."""
        return self.identity is None and now >= self.due_at
