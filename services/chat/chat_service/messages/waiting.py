"""Sends and reactions that wait for a writer, and the choice of who goes into the next batch.

Fair among apps (one each in turn), bounded per channel, so that neither a busy app nor a busy channel fills a
batch. Order within an app and channel is the order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from chat_service.messages.rules import ScreenedSend
from chat_service.reactions.rules import Reacted, Reacting
from chatsdk_contracts.ids import AppId, ChannelId
from chatsdk_contracts.messages import Message

BATCH_LIMIT = 256
CHANNEL_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Sent:
    """What a send came to: the message's JSON, and whether it had been stored before."""

    message: Message
    data: bytes
    duplicate: bool


@dataclass(slots=True, eq=False)
class WaitingSend:
    """A send with the future of its caller. `attempted`: a commit was tried, so its outcome may be unknown."""

    wanted: ScreenedSend
    outcome: asyncio.Future[Sent]
    deadline_s: float
    attempted: bool = False


@dataclass(slots=True, eq=False)
class WaitingReaction:
    """The same for a reaction."""

    wanted: Reacting
    outcome: asyncio.Future[Reacted]
    deadline_s: float
    attempted: bool = False


Waiting: TypeAlias = WaitingSend | WaitingReaction


@dataclass(slots=True)
class WriteQueue:
    """One writer's queue."""

    limit: int
    _apps: OrderedDict[AppId, deque[Waiting]] = field(default_factory=OrderedDict)
    _size: int = 0

    def __len__(self) -> int:
        return self._size

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return self._size >= self.limit

    def put(self, waiting: Waiting) -> None:
        """At the end of its app's line."""
        self._apps.setdefault(waiting.wanted.app_id, deque()).append(waiting)
        self._size += 1

    def put_back(self, several: Iterable[Waiting]) -> None:
        """In front of their apps' lines, in their old order: they were taken and not written."""
        for waiting in reversed(list(several)):
            self._apps.setdefault(waiting.wanted.app_id, deque()).appendleft(waiting)
            self._size += 1

    def take(self) -> list[Waiting]:
        """The next batch; callers who went away are left out."""
        batch: list[Waiting] = []
        passed_over: list[Waiting] = []
        per_channel: dict[ChannelId, int] = {}
        while self._apps and len(batch) < BATCH_LIMIT:
            app_id, line = next(iter(self._apps.items()))
            waiting = line.popleft()
            self._size -= 1
            if line:
                self._apps.move_to_end(app_id)
            else:
                del self._apps[app_id]
            if waiting.outcome.done():
                continue
            count = per_channel.get(waiting.wanted.channel_id, 0)
            if count >= CHANNEL_LIMIT:
                passed_over.append(waiting)
                continue
            per_channel[waiting.wanted.channel_id] = count + 1
            batch.append(waiting)
        self.put_back(passed_over)
        return batch
