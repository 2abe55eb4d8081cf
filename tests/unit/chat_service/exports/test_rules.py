"""Lines that a person and a program can read."""

from datetime import UTC, datetime
from uuid import UUID

import orjson

from chat_service.exports.rules import heading, line

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
ID = UUID(int=1)


def test_a_line_has_its_kind_first_and_the_apis_names() -> None:
    row = [
        ("channel_id", ID),
        ("joined_at", NOW),
        ("custom", '{"a": ["b"]}'),
        ("name", '{"a": 1}'),
        ("image", None),
    ]
    written = line("member", row)
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    assert orjson.loads(written) == {
        "kind": "member",
        "channelId": str(ID),
        "joinedAt": "2026-01-02T03:04:05.678Z",
        "custom": {"a": ["b"]},
        "name": '{"a": 1}',
        "image": None,
    }
    assert written.startswith(b'{"kind":"member"')


def test_text_with_line_breaks_stays_on_its_line() -> None:
    assert line("message", [("text", "one\ntwo\u2028three")]).count(b"\n") == 1


def test_the_first_line_says_of_what_and_when() -> None:
    first = orjson.loads(heading({"of": "user", "user_id": "ann"}, NOW))
    assert first == {
        "kind": "export",
        "version": 1,
        "of": "user",
        "userId": "ann",
        "exportedAt": "2026-01-02T03:04:05.678Z",
    }
