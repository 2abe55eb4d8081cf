"""A job as a value: what is asked, how far it is, what was counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from chatsdk_contracts.ids import AppId, ChannelId, UserId

JobKind = Literal["erase", "export", "import"]
JobState = Literal["waiting", "running", "done", "failed"]

# A job that fails so often, with growing pauses in between, will not succeed by itself: about two hours.
MOST_FAILURES: Final = 12
_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 1_800.0


class NotNow(Exception):
    """Something stands in the way of a job that is nobody's fault; it is tried again after `pause_s`."""

    def __init__(self, reason: str, *, pause_s: float) -> None:
        super().__init__(reason)
        self.pause_s = pause_s


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. `step` and `cursor` are its own business, `counts` what it has done, by name.

    `holder` is the lease under which this process works on it; empty while nobody does.
    """

    id: str
    app_id: AppId
    kind: JobKind
    created_at: datetime
    user_id: UserId | None = None
    channel_id: ChannelId | None = None
    requested_by: UserId | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    state: JobState = "waiting"
    step: str = ""
    cursor: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[Mapping[str, Any]] = ()
    file_path: str | None = None
    file_size: int | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    failures: int = 0
    holder: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in {"done", "failed"}

    def counted(self, **more: int) -> Job:
        """The job with so much more done."""
        added = {name: self.counts.get(name, 0) + number for name, number in more.items() if number}
        return replace(self, counts={**self.counts, **added})

    def at(self, step: str, **cursor: Any) -> Job:
        """The job at another place of its way."""
        return replace(self, step=step, cursor=cursor)

    def done(self, now: datetime) -> Job:
        """The job with nothing left to do; its cursor says nothing any more."""
        return replace(self, state="done", finished_at=now, cursor={})


def pause_s(failures: int) -> float:
    """How long a job rests after so many failures in a row."""
    return min(_FIRST_PAUSE_S * 2.0 ** max(0, failures - 1), _LONGEST_PAUSE_S)
