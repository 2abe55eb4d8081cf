"""From an event to what it adds to the totals; decides, and touches nothing.

`read_event` takes what counting needs out of the stored bytes, `tally` sums a batch. Types that this release
does not know are counted as `unknown` and never fail; a label's value always comes from a closed set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, NamedTuple, get_args
from uuid import UUID

import orjson

from chatsdk_contracts.catalogue import EPHEMERAL_EVENT_TYPES, EVENTS
from chatsdk_contracts.channels import ChannelType
from chatsdk_contracts.envelope import UndecodableEvent, parse_head

UNKNOWN: Final = "unknown"
OTHER: Final = "other"
EVENTS_SERIES: Final = "events"
MESSAGES_SERIES: Final = "messages"

_CHANNEL_TYPES: Final = frozenset(get_args(ChannelType))
_CONTENT_KINDS: Final = frozenset({"image", "video", "audio", "text", "application"})
_CHANNEL_EVENTS: Final = frozenset({"channel.created", "channel.updated", "channel.deleted"})

# What one event of a type adds, and whether the series has the channel's type or the content's kind as a label.
_ADDS: Final[Mapping[str, tuple[tuple[str, int], ...]]] = MappingProxyType(
    {
        "message.updated": (("messages_updated", 1),),
        "message.deleted": (("messages_deleted", 1),),
        "channel.created": (("channels_created", 1), ("channels", 1)),
        "channel.deleted": (("channels", -1),),
        "user.created": (("users_created", 1),),
        "reaction.added": (("reactions_added", 1),),
        "reaction.removed": (("reactions_removed", 1),),
        "workspace.created": (("workspaces", 1),),
        "workspace.deleted": (("workspaces", -1),),
        "poll.created": (("polls_created", 1),),
        "poll.voted": (("poll_votes", 1),),
        "upload.completed": (("uploads", 1),),
    }
)


class Total(NamedTuple):
    """The key of one exact total; `label` is empty for a series that has only the app."""

    series: str
    app_id: str
    label: str


class Hour(NamedTuple):
    """The key of one hourly bucket."""

    app_id: str
    event_type: str
    hour: datetime


@dataclass(frozen=True, slots=True)
class CountableEvent:
    """What counting needs of an event. `label` is a channel's type or an upload's kind, else empty."""

    id: UUID
    type: str
    app_id: str
    channel_id: str | None
    label: str
    hour: datetime
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch adds: totals and hours by key, channels whose type it tells, messages by channel."""

    totals: Counter[Total] = field(default_factory=Counter)
    hours: Counter[Hour] = field(default_factory=Counter)
    channel_types: dict[str, tuple[str, str]] = field(default_factory=dict)
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)


def read_event(body: bytes) -> CountableEvent:
    """What counting needs of the stored bytes.

    Raises:
        UndecodableEvent: they are no event.
    """
    head = parse_head(body)
    if "\0" in head.appid or "\0" in (head.channelid or ""):
        raise UndecodableEvent("appid or channelid: holds a NUL")
    return CountableEvent(
        id=UUID(head.id),
        type=head.type if head.type in EVENTS else UNKNOWN,
        app_id=head.appid,
        channel_id=head.channelid or _aggregate_id(head.subject, "channels"),
        label=_label(head.type, body),
        hour=head.time.astimezone(UTC).replace(minute=0, second=0, microsecond=0),
        is_exact=head.type not in EPHEMERAL_EVENT_TYPES,
    )


def tally(events: Iterable[CountableEvent]) -> Tally:
    """The sum over a batch, in which no event comes twice."""
    result = Tally()
    for event in events:
        result.totals[Total(EVENTS_SERIES, event.app_id, event.type)] += 1
        result.hours[Hour(event.app_id, event.type, event.hour)] += 1
        for series, change in _ADDS.get(event.type, ()):
            result.totals[Total(series, event.app_id, event.label)] += change
        if event.channel_id is None:
            continue
        if event.type == "message.new":
            result.messages[event.app_id, event.channel_id] += 1
        elif event.type in _CHANNEL_EVENTS and event.label != UNKNOWN:
            result.channel_types.setdefault(event.channel_id, (event.app_id, event.label))
    return result


def _label(event_type: str, body: bytes) -> str:
    if event_type in _CHANNEL_EVENTS:
        value = _data_text(body, "type")
        return UNKNOWN if value is None else value if value in _CHANNEL_TYPES else OTHER
    if event_type == "upload.completed":
        kind = (_data_text(body, "contentType") or "").partition("/")[0]
        return kind if kind in _CONTENT_KINDS else OTHER
    return ""


def _data_text(body: bytes, name: str) -> str | None:
    data = orjson.loads(body).get("data")
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) else None


def _aggregate_id(subject: str, aggregate: str) -> str | None:
    kind, _, aggregate_id = subject.partition("/")
    return aggregate_id if kind == aggregate and "\0" not in aggregate_id else None
