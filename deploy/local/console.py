"""What the person at the terminal sees: phases with their times, notes, and errors that say what to do."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Trouble(Exception):
    """Something that the person has to know or fix; `advice` says what to do next."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


@dataclass
class Console:
    """Prints progress, one line for each thing that begins or ends, and keeps the times for the banner."""

    quiet: bool = False
    phases: list[tuple[str, float]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, text: str) -> None:
        """Print one line of progress."""
        if self.quiet:
            return
        with self._lock:
            print(f"  {text}", flush=True)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a piece of work, and tell how long it took when it is done."""
        self.note(f"... {name}")
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        with self._lock:
            self.phases.append((name, took))
        self.note(f"ok  {name} ({took:.1f} s)")

    def fail(self, trouble: Trouble) -> None:
        """Print what went wrong and what to do about it, on standard error."""
        with self._lock:
            print(f"\nmake: {trouble.problem}\n  -> {trouble.advice}", file=sys.stderr, flush=True)
