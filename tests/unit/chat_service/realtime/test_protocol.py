"""The frames of a socket: what is read, and that what is written is one line of JSON."""

import json

import pytest
from pydantic import ValidationError

from chat_service.realtime import protocol
from chat_service.realtime.protocol import Connect, Subscribe

CHANNEL = "01a210d8-fa09-75a3-b85e-eefe385c311b"


def test_a_frame_is_read_as_what_it_says_it_is() -> None:
    connect = protocol.read('{"type":"connect","id":1,"token":"t","channels":"all"}')
    subscribe = protocol.read(json.dumps({"type": "subscribe", "channels": [{"id": CHANNEL, "cv": 4}]}))

    assert isinstance(connect, Connect)
    assert connect.channels == "all"
    assert isinstance(subscribe, Subscribe)
    assert [(one.id, one.cv) for one in subscribe.channels] == [(CHANNEL, 4)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"text"',
        '{"type":"unknown"}',
        '{"type":"connect","more":1}',
        '{"type":"subscribe","channels":[]}',
        '{"type":"subscribe","channels":[{"id":"short"}]}',
        '{"type":"ping","id":-1}',
        '{"type":"ping","id":99999999999999999999}',
        '{"type":"connect","clientId":"a b"}',
    ],
)
def test_what_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        protocol.read(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [('{"id":7}', 7), ('{"id":"7"}', None), ("[1]", None), ("not json", None), ("{}", None)],
)
def test_the_number_of_a_broken_frame_is_told_if_it_can_be(text: str, number: int | None) -> None:
    assert protocol.request_id_of(text) == number


def test_every_frame_is_one_line_of_json() -> None:
    body = json.dumps({"data": {"text": "a\nb"}}).encode()
    frames = [
        protocol.event_frame(body),
        protocol.covered_frame(CHANNEL, 4),
        protocol.result_frame(None, 201, body),
        protocol.error_frame(3, 404, {"code": "x"}),
        protocol.frame("pong", id=1, text="a\nb"),
    ]

    assert all("\n" not in one for one in frames)
    assert [json.loads(one)["type"] for one in frames] == ["event", "covered", "result", "result", "pong"]
    assert json.loads(frames[0])["event"]["data"]["text"] == "a\nb"
