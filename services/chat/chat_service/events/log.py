"""Append to the event log, in the transaction that makes the change.

The bytes made here are the bytes that are stored, published, signed and posted; nobody serialises again.
After the commit `relay` gives the event its place in its lane and publishes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from chatsdk_contracts.envelope import Envelope, Event, encode_with_data, event_type, subject_of
from chatsdk_contracts.ids import (
    ApiKeyId,
    AppId,
    ChannelId,
    EventId,
    ExportId,
    UploadId,
    UserId,
    WorkspaceId,
    new_id,
)
from chatsdk_contracts.moderation import MessageShadowed, ShadowedChange
from chatsdk_contracts.topology import copy_keys, lane_of
from chatsdk_contracts.wire import WireModel, data_json
from chatsdk_runtime.postgres import Transaction


@dataclass(frozen=True, slots=True)
class Cause:
    """What an event's envelope says of why it exists: app, actor, time, trace.

    For the audit log alone: the key that an app's server called with, and the call's request id.
    """

    app_id: AppId
    now: datetime
    epoch: int
    actor_id: UserId | None = None
    traceparent: str | None = None
    key_id: ApiKeyId | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One row of the log, before it has a position."""

    id: str
    app_id: AppId
    type: str
    subject: str
    version: int | None
    channel_id: ChannelId | None
    copies: list[str] | None
    body: bytes

    @property
    def lane(self) -> int:
        """The lane that orders this event's aggregate."""
        return lane_of(self.subject)


def channel_event(
    event_class: type[Event],
    cause: Cause,
    channel_id: ChannelId,
    cv: int,
    data: WireModel | bytes,
    *,
    copy_to: UserId | None = None,
    only_for: UserId | None = None,
) -> LoggedEvent:
    """An event in a channel's order; `cv` is the channel's version that it makes.

    `only_for`: it is about a message that its author alone sees, and is told as `message.shadowed`.
    """
    if only_for is not None:
        plain = orjson.loads(data if isinstance(data, bytes) else data_json(data))
        data = ShadowedChange(
            channel_id=channel_id, user_id=only_for, told=event_type(event_class), data=plain
        )
        event_class = MessageShadowed
    copies = copy_keys(event_type(event_class), cause.app_id, copy_to) if copy_to is not None else None
    return _event(event_class, cause, subject_of("channels", channel_id), cv, data, channel_id, copies)


def channel_notice(
    event_class: type[Event], cause: Cause, channel_id: ChannelId, data: WireModel
) -> LoggedEvent:
    """An event about a channel that is logged and told like any other, and stands outside its order."""
    return _event(event_class, cause, subject_of("channels", channel_id), None, data, channel_id, None)


def user_event(
    event_class: type[Event], cause: Cause, user_id: UserId, version: int, data: WireModel
) -> LoggedEvent:
    """An event about a user; `version` is the user's version that it makes."""
    return _event(event_class, cause, subject_of("users", user_id), version, data, None, None)


def user_notice(
    event_class: type[Event],
    cause: Cause,
    user_id: UserId,
    data: WireModel,
    channel_id: ChannelId | None = None,
) -> LoggedEvent:
    """An event about a user (in a channel) that is logged and told, and stands outside the user's order."""
    return _event(event_class, cause, subject_of("users", user_id), None, data, channel_id, None)


def workspace_event(
    event_class: type[Event], cause: Cause, workspace_id: WorkspaceId, version: int, data: WireModel
) -> LoggedEvent:
    """An event in a workspace's order; `version` is the workspace's version that it makes."""
    return _event(event_class, cause, subject_of("workspaces", workspace_id), version, data, None, None)


def upload_event(event_class: type[Event], cause: Cause, upload_id: UploadId, data: WireModel) -> LoggedEvent:
    """An event about a file, to which one thing happens once: its version is 1."""
    return _event(event_class, cause, subject_of("uploads", upload_id), 1, data, None, None)


def export_event(event_class: type[Event], cause: Cause, export_id: ExportId, data: WireModel) -> LoggedEvent:
    """An event about an export, to which one thing happens once: its version is 1."""
    return _event(event_class, cause, subject_of("exports", export_id), 1, data, None, None)


async def append(tx: Transaction, events: Sequence[LoggedEvent]) -> None:
    """Write the events; they become visible, and publishable, with the transaction's commit."""
    await tx.execute(_APPEND, *columns(events))


def columns(events: Sequence[LoggedEvent]) -> tuple[list[object], ...]:
    """The events as one array per column, for `unnest`."""
    return (
        [UUID(event.id) for event in events],
        [UUID(event.app_id) for event in events],
        [event.type for event in events],
        [event.subject for event in events],
        [event.version for event in events],
        [UUID(event.channel_id) if event.channel_id else None for event in events],
        [event.lane for event in events],
        # An array of arrays would have to be rectangular: the keys hold no spaces.
        [" ".join(event.copies) if event.copies else None for event in events],
        [event.body for event in events],
    )


def _event(
    event_class: type[Event],
    cause: Cause,
    subject: str,
    version: int | None,
    data: WireModel | bytes,
    channel_id: ChannelId | None,
    copies: list[str] | None,
) -> LoggedEvent:
    event_id = EventId(new_id())
    envelope = Envelope(
        id=event_id,
        appid=cause.app_id,
        subject=subject,
        time=cause.now,
        epoch=cause.epoch,
        channelid=channel_id,
        actorid=cause.actor_id,
        sequence=None if version is None else str(version),
        traceparent=cause.traceparent,
    )
    body = encode_with_data(event_class, envelope, data if isinstance(data, bytes) else data_json(data))
    return LoggedEvent(
        event_id, cause.app_id, event_type(event_class), subject, version, channel_id, copies or None, body
    )


_APPEND = """
insert into event (id, app_id, type, subject, version, channel_id, lane, copies, body)
select id, app_id, type, subject, version, channel_id, lane, string_to_array(copies, ' '), body
from unnest(
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::smallint[], $8::text[], $9::bytea[]
) as e (id, app_id, type, subject, version, channel_id, lane, copies, body)
"""
