"""Named places at which a test kills this process, to prove that nothing is lost there.

Off unless armed: a composition root parses `CHATSDK_FAULT_POINTS` in development only and hands the result
down. An armed place kills the process the way a power cut does: SIGKILL, no clean-up.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping


class FaultPoints:
    """Which places are armed, and at which passing each one kills."""

    def __init__(self, armed: Mapping[str, int] | None = None) -> None:
        self._remaining = dict(armed or {})

    @classmethod
    def parse(cls, text: str) -> FaultPoints:
        """Read `name:n,name:n`; an empty text arms nothing.

        Raises:
            ValueError: naming the entry that is wrong.
        """
        armed: dict[str, int] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            name, _, count = entry.partition(":")
            if not name or not count.isdigit() or int(count) < 1:
                message = f"{entry!r} is not `name:n` with n of at least 1"
                raise ValueError(message)
            armed[name] = int(count)
        return cls(armed)

    def reached(self, name: str) -> None:
        """Does nothing, or never returns."""
        remaining = self._remaining.get(name)
        if remaining is None:
            return
        if remaining > 1:
            self._remaining[name] = remaining - 1
            return
        os.kill(os.getpid(), signal.SIGKILL)
