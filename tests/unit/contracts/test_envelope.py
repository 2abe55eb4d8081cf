"""The envelope: one serialisation, read back by strict, tolerant and foreign readers."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chatsdk_contracts.catalogue import UnknownEventType, parse_event
from chatsdk_contracts.envelope import (
    Envelope,
    Event,
    UndecodableEvent,
    encode,
    encode_with_data,
    parse_head,
)
from chatsdk_contracts.ids import AppId, ChannelId, EventId, MessageId, UserId
from chatsdk_contracts.messages import Message, MessageNew
from chatsdk_contracts.presence import Typing, TypingStart
from chatsdk_contracts.wire import data_json
from tests.unit.contracts.strategies import events

AT = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
CHANNEL = ChannelId("0199f3a1-0000-7000-8000-000000000002")
EVENT_ID = EventId("0199f3a1-7c00-7000-8000-0123456789ab")


def message_new(**changes: Any) -> MessageNew:
    message = Message(
        id=MessageId("0199f3a1-0000-7000-8000-000000000003"),
        channel_id=CHANNEL,
        user_id=UserId("alice"),
        text='Grüße "🎉"\n',
        seq=7,
        cv=12,
        created_at=AT,
        updated_at=AT,
    )
    fields = {
        "id": EVENT_ID,
        "subject": f"channels/{CHANNEL}",
        "time": AT,
        "appid": "app-1",
        "channelid": CHANNEL,
        "actorid": "alice",
        "sequence": "12",
        "epoch": 1,
        "data": message,
    }
    return MessageNew.model_validate(fields | changes)


@given(events())
def test_every_event_survives_encoding_and_parsing(event: Event) -> None:
    assert parse_event(encode(event)) == event


@given(events())
def test_data_serialised_beforehand_gives_the_same_bytes(event: Event) -> None:
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
    assert encode_with_data(type(event), envelope, data_json(event.data)) == encode(event)


@given(events())
def test_the_bytes_are_what_pydantic_would_write_of_the_same_attributes(event: Event) -> None:
    written = json.loads(encode(event))
    expected = event.model_dump(mode="json", by_alias=True, exclude={"data"}, exclude_none=True)
    expected |= {"source": event.source, "dataschema": event.dataschema}
    assert written.pop("data") == json.loads(data_json(event.data))
    assert written == expected


@given(events())
def test_the_head_says_the_same_as_the_event(event: Event) -> None:
    head = parse_head(encode(event))
    assert head.model_dump() == event.model_dump(exclude={"data", "datacontenttype"}) | {
        "dataschema": event.dataschema
    }


@given(events())
def test_an_independent_cloudevents_reader_accepts_every_event(event: Event) -> None:
    read = JSONFormat().read(CloudEvent, encode(event))
    assert (read.get_id(), read.get_type(), read.get_source()) == (event.id, event.type, event.source)
    assert (read.get_subject(), read.get_time()) == (event.subject, event.time)
    assert read.get_extension("appid") == event.appid
    assert read.get_data() == json.loads(data_json(event.data))


def test_the_bytes_of_a_message_are_pinned() -> None:
    assert encode(message_new()).decode() == (
        '{"specversion":"1.0","id":"0199f3a1-7c00-7000-8000-0123456789ab","type":"message.new",'
        '"source":"/apps/app-1","subject":"channels/0199f3a1-0000-7000-8000-000000000002",'
        '"time":"2026-01-31T12:00:00.123Z","datacontenttype":"application/json",'
        '"dataschema":"urn:chatsdk:event:message.new:1","appid":"app-1",'
        '"channelid":"0199f3a1-0000-7000-8000-000000000002","actorid":"alice","sequence":"12","epoch":1,'
        '"data":{"id":"0199f3a1-0000-7000-8000-000000000003","channelId":"0199f3a1-0000-7000-8000-000000000002",'
        '"userId":"alice","type":"regular","text":"Grüße \\"🎉\\"\\n","attachments":[],"seq":7,"threadSeq":null,'
        '"cv":12,"version":1,"status":"sent","clientMsgId":null,"parentId":null,"replyToId":null,"silent":false,'
        '"custom":{},"mentions":[],"mentionGroups":[],"linkPreviews":[],"pollId":null,"replyCount":0,'
        '"lastReplyAt":null,"reactionCounts":{},"pinned":false,"pinnedAt":null,"pinnedBy":null,'
        '"createdAt":"2026-01-31T12:00:00.123Z","updatedAt":"2026-01-31T12:00:00.123Z","editedAt":null,'
        '"deletedAt":null,"deletedBy":null,"hlc":null,"textMode":null}}'
    )


def test_absent_attributes_are_left_out() -> None:
    typing = TypingStart(
        id=EVENT_ID,
        subject=f"channels/{CHANNEL}",
        time=AT,
        appid=AppId("app-1"),
        epoch=1,
        data=Typing(channel_id=CHANNEL, user_id=UserId("alice"), expires_at=AT),
    )
    assert json.loads(encode(typing)).keys() == {
        "specversion", "id", "type", "source", "subject", "time", "datacontenttype", "dataschema", "appid", "epoch",
        "data",
    }  # fmt: skip


def test_times_of_any_zone_are_written_in_utc_with_milliseconds() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert encode(message_new(time=elsewhere)) == encode(message_new())


def test_a_reader_ignores_fields_and_attributes_it_does_not_know() -> None:
    event = message_new()
    body = json.loads(encode(event))
    body["newattribute"] = "x"
    body["data"]["newField"] = {"deep": True}
    body["data"]["attachments"] = []
    newer = json.dumps(body).encode()
    assert parse_event(newer) == event
    assert parse_head(newer) == parse_head(encode(event))


@pytest.mark.parametrize(
    "change", [{"type": "message.teleported"}, {"dataschema": "urn:chatsdk:event:message.new:2"}]
)
def test_a_type_or_schema_of_a_later_release_is_carried_by_its_head(change: dict[str, str]) -> None:
    newer = json.dumps(json.loads(encode(message_new())) | change).encode()
    head = parse_head(newer)
    with pytest.raises(UnknownEventType) as unknown:
        parse_event(newer)
    assert unknown.value.head == head


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "body: Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b"\xff\xfe", "body: Invalid JSON: expected value at line 1 column 1"),
        (b"[]", "body: Input should be an object"),
        (b"null", "body: Input should be an object"),
        (b"{}", "specversion: Field required"),
    ],
)
def test_a_body_that_is_no_event_is_undecodable_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UndecodableEvent) as refused:
        parse_head(body)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"id": "f47ac10b-58cc-4372-a567-0e02b2c3d479"},  # no UUIDv7: has no day, hence no partition
        {"id": "0199F3A1-7C00-7000-8000-0123456789AB"},
        {"type": ""},
        {"type": "x" * 200},
        {"subject": "channels"},
        {"appid": ""},
        {"time": "2026-01-31T12:00:00"},
        {"sequence": "012"},
        {"sequence": 12},
        {"epoch": "one"},
        {"epoch": -1},
        {"channelid": 5},
    ],
)
def test_a_wrong_attribute_is_undecodable_and_named(change: dict[str, Any]) -> None:
    body = json.dumps(json.loads(encode(message_new())) | change).encode()
    with pytest.raises(UndecodableEvent) as refused:
        parse_head(body)
    assert refused.value.reason.startswith(f"{next(iter(change))}: ")


def test_wrong_data_is_undecodable_for_who_reads_it_and_its_content_stays_out_of_the_reason() -> None:
    body = json.loads(encode(message_new()))
    body["data"]["createdAt"] = "a secret thought"
    broken = json.dumps(body).encode()
    with pytest.raises(UndecodableEvent) as refused:
        parse_event(broken)
    assert refused.value.reason.startswith("data.createdAt: ")
    assert "secret" not in refused.value.reason
    assert parse_head(broken).id == EVENT_ID


@given(st.binary() | st.text().map(str.encode))
def test_no_bytes_make_the_reader_raise_anything_else(body: bytes) -> None:
    with pytest.raises(UndecodableEvent):
        parse_event(body)


def test_a_deeply_nested_body_is_undecodable() -> None:
    with pytest.raises(UndecodableEvent):
        parse_head(b'{"data":' * 100_000)


def test_events_and_models_do_not_change_once_made() -> None:
    event = message_new()
    with pytest.raises(ValidationError):
        event.epoch = 2  # type: ignore[misc]  # that it is refused is the point
    with pytest.raises(ValidationError):
        event.data.text = "other"  # type: ignore[misc]  # the same
