"""Pure decisions of sync: what an event touches, and which versions a shown thing covers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from chat_service.events.rules import LOG_KEPT_DAYS
from chat_service.sync.cursor import Cursor
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import from_epoch_ms

Kind = Literal["message", "member", "channel", "none"]

# Which member of `data` names the message or user that an event is about, by the first word of its type.
_MESSAGE_ID: Final[Mapping[str, str]] = {
    "message": "id",
    "reaction": "messageId",
    "thread": "parentId",
    "poll": "messageId",
}
_NOT_FOR_MEMBERS: Final = frozenset({"message.reported"})
_ID_MARGIN: Final = timedelta(hours=1)
_ABOUT_MEMBERS: Final = frozenset({"user.joined", "user.left", "member.updated"})


@dataclass(frozen=True, slots=True)
class Touch:
    """One logged event of a channel, as far as sync looks at it: the version it made, and what it changed.

    `sender`: whose sending it was; None for everything else.
    """

    channel_id: ChannelId
    version: int
    kind: Kind
    entity_id: str
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Covered:
    """A thing to show, for the versions `cv_from`..`cv` of its channel."""

    channel_id: ChannelId
    kind: Kind
    entity_id: str
    cv_from: int
    cv: int


def touch_of(channel_id: ChannelId, version: int, event_type: str, data: Mapping[str, Any]) -> Touch:
    """What an event changed. A type that this release does not know changes nothing that it can show."""
    if event_type == "message.shadowed":
        # What it changed is shown to its author; for the others there is no such message.
        return touch_of(channel_id, version, data["told"], data["data"])
    group = event_type.partition(".")[0]
    if event_type in _ABOUT_MEMBERS:
        return Touch(channel_id, version, "member", str(data["userId"]))
    if group == "channel":
        return Touch(channel_id, version, "channel", channel_id)
    field = _MESSAGE_ID.get(group)
    if field is None or event_type in _NOT_FOR_MEMBERS:
        return Touch(channel_id, version, "none", "")
    sender = data.get("userId") if event_type == "message.new" else None
    return Touch(channel_id, version, "message", str(data[field]), sender)


def covered_by(touches: Sequence[Touch]) -> list[Covered]:
    """Each changed thing once, at its last change; each covers what its channel went through since the one before.

    `touches` are in the order of the log, without a hole in any channel.
    """
    last = {(touch.channel_id, touch.kind, touch.entity_id): place for place, touch in enumerate(touches)}
    begun: dict[ChannelId, int] = {}
    ended = {touch.channel_id: touch.version for touch in touches}
    shown: list[Covered] = []
    for place, touch in enumerate(touches):
        cv_from = begun.setdefault(touch.channel_id, touch.version)
        is_last_of_thing = last[touch.channel_id, touch.kind, touch.entity_id] == place
        if touch.kind == "none":
            # The next thing shown covers it; only at the end of a channel's part it stands for itself.
            is_last_of_thing = ended[touch.channel_id] == touch.version
        if is_last_of_thing:
            shown.append(Covered(touch.channel_id, touch.kind, touch.entity_id, cv_from, touch.version))
            begun[touch.channel_id] = touch.version + 1
    return shown


def sent_to(touches: Iterable[Touch], user_id: UserId) -> set[ChannelId]:
    """The channels that the user sent to, whatever became of the messages."""
    return {touch.channel_id for touch in touches if touch.sender == user_id}


def is_too_old(since: datetime, now: datetime, *, kept_days: int) -> bool:
    """Whether the log may have lost what came behind a cursor: a day of margin, for partitions go by days."""
    return since < now - timedelta(days=kept_days - 1)


Anew = Literal["initial", "horizon", "epoch"]


def why_anew(cursor: Cursor | None, epoch: int, heads: Sequence[int], now: datetime) -> Anew | None:
    """Why a client cannot go on from its cursor; None when it can.

    A position beyond the log's head tells of a database restored without a new epoch.
    """
    if cursor is None:
        return "initial"
    if cursor.epoch != epoch or any(seen > head for seen, head in zip(cursor.positions, heads, strict=True)):
        return "epoch"
    if is_too_old(cursor.since, now, kept_days=LOG_KEPT_DAYS):
        return "horizon"
    return None


def oldest_time(oldest: UUID | None, now: datetime) -> datetime:
    """No event behind the log's head is older than this: neither one without a position nor one not committed yet.

    An event's id is made a little before its transaction commits, and no transaction of ours lasts an hour.
    """
    if oldest is None:
        return now - _ID_MARGIN
    return min(now, from_epoch_ms(oldest.int >> 80)) - _ID_MARGIN
