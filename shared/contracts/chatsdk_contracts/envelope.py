"""The envelope of every event: CloudEvents 1.0 in structured JSON, made once and never made again.

`encode` and `encode_with_data` produce the bytes that are stored in the transaction, published, signed and POSTed;
`parse_head` is the tolerant view for consumers that forward or count without reading `data`. The event classes
themselves stand in the modules of their resources, the list of all of them in `catalogue`.
"""

from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import to_json

from chatsdk_contracts.ids import AppId, ChannelId, EventId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel, data_json, format_time

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/cloudevents+json"
DATA_CONTENT_TYPE: Final = "application/json"

Aggregate = Literal["apps", "channels", "exports", "uploads", "users", "webhooks", "workspaces"]
Owner = Literal["chat", "dispatcher"]
Sequence = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,18})$")]
Uuid7 = Annotated[
    EventId,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"),
]
Subject = Annotated[str, StringConstraints(pattern=r"^[a-z]+/.")]


class Audience(StrEnum):
    """Who may receive an event. Webhooks, partners and metrics (servers) get all but `internal`."""

    CHANNEL = "channel"  # the members of the channel, workspace or (presence) shared channels it is about
    USER = "user"  # the devices of the user it is about
    SERVER = "server"  # servers only, never a socket
    INTERNAL = "internal"  # our own services, on the control exchange


class UndecodableEvent(ValueError):
    """A body that is no event: `reason` says why in one line, without any of the content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Envelope(NamedTuple):
    """The attributes that a producer decides; type, source and dataschema follow from class and app."""

    id: EventId
    appid: AppId
    subject: str
    time: datetime
    epoch: int
    channelid: ChannelId | None = None
    actorid: UserId | None = None
    sequence: str | None = None
    traceparent: str | None = None


class Event(BaseModel):
    """Base of every event class. `sequence` is the version of the aggregate named by `subject`, in decimal."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    audience: ClassVar[Audience]
    aggregate: ClassVar[Aggregate]
    owner: ClassVar[Owner] = "chat"
    durable: ClassVar[bool] = True  # stored in the event log; False is published and forgotten
    schema_version: ClassVar[int] = 1

    specversion: Literal["1.0"] = SPEC_VERSION
    id: Uuid7
    type: str
    subject: Subject
    time: Timestamp
    datacontenttype: Literal["application/json"] = DATA_CONTENT_TYPE
    appid: AppId = Field(min_length=1)
    channelid: ChannelId | None = None
    actorid: UserId | None = None
    sequence: Sequence | None = None
    epoch: int = Field(ge=0)
    traceparent: str | None = None
    data: WireModel

    @property
    def source(self) -> str:
        """The app the event happened in, as a CloudEvents source."""
        return source_of(self.appid)

    @property
    def dataschema(self) -> str:
        """The versioned name of this event's schema."""
        return dataschema_of(type(self))


class EventHead(BaseModel):
    """An event as seen by those who forward or count it: `data` and unknown attributes are not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"]
    id: Uuid7
    type: str = Field(min_length=1, max_length=128)
    subject: Subject
    time: Timestamp
    dataschema: str | None = None
    appid: AppId = Field(min_length=1)
    channelid: ChannelId | None = None
    actorid: UserId | None = None
    sequence: Sequence | None = None
    epoch: int = Field(ge=0)
    traceparent: str | None = None


def parse_head(body: bytes) -> EventHead:
    """The head of an event's bytes. Raises `UndecodableEvent`."""
    try:
        return EventHead.model_validate_json(body)
    except ValidationError as error:
        raise UndecodableEvent(reason_of(error)) from None


def encode(event: Event) -> bytes:
    """The bytes of an event: compact JSON, absent optional attributes left out, nulls inside `data` kept."""
    envelope = Envelope(
        id=event.id,
        appid=event.appid,
        subject=event.subject,
        time=event.time,
        epoch=event.epoch,
        channelid=event.channelid,
        actorid=event.actorid,
        sequence=event.sequence,
        traceparent=event.traceparent,
    )
    return encode_with_data(type(event), envelope, data_json(event.data))


def encode_with_data(event_cls: type[Event], envelope: Envelope, data: bytes) -> bytes:
    """The bytes that `encode` would give, from the JSON that `wire.data_json` already made of the data."""
    attributes: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": envelope.id,
        "type": event_type(event_cls),
        "source": source_of(envelope.appid),
        "subject": envelope.subject,
        "time": format_time(envelope.time),
        "datacontenttype": DATA_CONTENT_TYPE,
        "dataschema": dataschema_of(event_cls),
        "appid": envelope.appid,
    }
    if envelope.channelid is not None:
        attributes["channelid"] = envelope.channelid
    if envelope.actorid is not None:
        attributes["actorid"] = envelope.actorid
    if envelope.sequence is not None:
        attributes["sequence"] = envelope.sequence
    attributes["epoch"] = envelope.epoch
    if envelope.traceparent is not None:
        attributes["traceparent"] = envelope.traceparent
    return b'%b,"data":%b}' % (to_json(attributes)[:-1], data)


@cache
def event_type(event_cls: type[Event]) -> str:
    """The type name of an event class, e.g. `message.new`."""
    return str(event_cls.model_fields["type"].default)


@cache
def dataschema_of(event_cls: type[Event]) -> str:
    """The versioned schema name of an event class, e.g. `urn:chatsdk:event:message.new:1`."""
    return f"urn:chatsdk:event:{event_type(event_cls)}:{event_cls.schema_version}"


def source_of(app_id: AppId) -> str:
    """The CloudEvents source of everything that happens in an app."""
    return f"/apps/{app_id}"


def subject_of(aggregate: Aggregate, aggregate_id: str) -> str:
    """The subject of an event about this aggregate, e.g. `channels/0190...`: what orders it and chooses its lane."""
    return f"{aggregate}/{aggregate_id}"


def reason_of(error: ValidationError) -> str:
    """The first thing wrong with a body, as `path: what`, without the value (it may be somebody's text)."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"]) or "body"
    return f"{path}: {first['msg']}"
