"""What happens in a large channel, gathered: sockets get counts each second, and not an event for each of thousands.

The log, webhooks and the broker have each event. A frame says which versions it covers, so that a client which counts
them finds no gap. No I/O, and the time is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from chat_service.realtime.protocol import frame

GATHERED: Final = frozenset(
    {
        "user.joined",
        "user.left",
        "reaction.added",
        "reaction.removed",
        "message.read",
        "typing.start",
        "typing.stop",
    }
)
# Messages whose counts one frame carries; with more it goes out sooner.
_MOST_MESSAGES: Final = 200


@dataclass(slots=True)
class _Gathered:
    """What the next frame tells: a range of versions (`cv_from` 0: none), and what stands outside their order."""

    cv_from: int = 0
    cv: int = 0
    joined: int = 0
    left: int = 0
    reactions: dict[str, Mapping[str, int]] = field(default_factory=dict)
    readers: set[str] = field(default_factory=set)


class Crowd:
    """What was gathered since the last frame, and who types."""

    __slots__ = ("_gathered", "_typing", "_typing_told")

    def __init__(self) -> None:
        self._gathered = _Gathered()
        self._typing: dict[str, datetime] = {}
        self._typing_told = 0

    def take(self, event_type: str, data: Mapping[str, Any], version: int | None) -> None:
        """Gather an event; `version` is None for what stands outside the channel's order."""
        gathered = self._gathered
        if version is not None:
            gathered.cv_from = gathered.cv_from or version
            gathered.cv = version
        match event_type:
            case "user.joined":
                gathered.joined += 1
            case "user.left":
                gathered.left += 1
            case "reaction.added" | "reaction.removed":
                gathered.reactions[data["messageId"]] = data["counts"]
            case "message.read":
                gathered.readers.add(data["userId"])
            case "typing.start":
                self._typing[data["userId"]] = datetime.fromisoformat(data["expiresAt"])
            case _:
                self._typing.pop(data["userId"], None)

    @property
    def is_full(self) -> bool:
        """Whether it has to be told before its second is over."""
        return len(self._gathered.reactions) >= _MOST_MESSAGES

    def told(self, channel_id: str, now: datetime) -> str | None:
        """The frame for what was gathered, once; None when there is nothing new."""
        gathered, self._gathered = self._gathered, _Gathered()
        self._typing = {user: until for user, until in self._typing.items() if until > now}
        fields: dict[str, Any] = {}
        if gathered.cv_from:
            fields = {
                "cvFrom": gathered.cv_from,
                "cv": gathered.cv,
                "joined": gathered.joined,
                "left": gathered.left,
                "reactions": [
                    {"messageId": message_id, "counts": counts}
                    for message_id, counts in gathered.reactions.items()
                ],
            }
        if gathered.readers:
            fields["readers"] = len(gathered.readers)
        if len(self._typing) != self._typing_told:
            fields["typing"] = self._typing_told = len(self._typing)
        return frame("crowd", channelId=channel_id, **fields) if fields else None
