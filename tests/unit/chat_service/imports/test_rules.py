"""Lines of an import: cut out of pieces, parsed or named; ids that stay; places in the order of time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.imports.requests import MessageLine, UserLine
from chat_service.imports.rules import LONGEST_LINE, Waiting, own_id, place, read_piece
from chatsdk_contracts.ids import AppId

APP = AppId("01890000-0000-7000-8000-000000000001")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def user(name: str) -> bytes:
    return orjson.dumps({"kind": "user", "id": name})


@given(
    st.lists(st.sampled_from([user("ann"), user("b" * 50), b"", b"{", b'{"kind": "vote"}']), max_size=12),
    st.integers(90, 250),
    st.integers(1, 5),
    st.booleans(),
)
def test_a_file_is_read_once_whatever_pieces_it_comes_in(
    lines: list[bytes], piece_bytes: int, most_lines: int, ends: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if ends and lines else b"")
    offset, number, names, problems, passed = 0, 1, [], [], 0
    while offset < len(content):
        piece = content[offset : offset + piece_bytes]
        is_last = offset + piece_bytes >= len(content)
        read = read_piece(piece, offset=offset, number=number, is_last=is_last, most_lines=most_lines)
        assert read.offset > offset
        offset, number = read.offset, read.number
        names += [one.line.id for one in read.lines if isinstance(one.line, UserLine)]
        problems += [problem.line for problem in read.problems]
        passed += read.passed_over
    assert names == [orjson.loads(line)["id"] for line in lines if line.startswith(b'{"kind":"user"')]
    assert problems == [place for place, line in enumerate(lines, 1) if line == b"{"]
    assert passed == lines.count(b'{"kind": "vote"}')


def test_a_line_that_never_ends_is_named_and_passed() -> None:
    piece = b"x" * (LONGEST_LINE + 1) + b"\n" + user("ann")
    read = read_piece(piece, offset=0, number=1, is_last=True, most_lines=10)
    assert [(one.line, one.code) for one in read.problems] == [(1, "line_too_long")]
    assert [one.number for one in read.lines] == [2]


@pytest.mark.parametrize(
    ("line", "path", "code"),
    [
        (b"{", "", "invalid_json"),
        (b"[]", "kind", "unknown_kind"),
        (b"{}", "kind", "unknown_kind"),
        (b'{"kind": ["user"]}', "kind", "unknown_kind"),
        (b'{"kind": "user"}', "id", "missing"),
        (b'{"kind": "user", "id": "."}', "id", "reserved"),
        (b'{"kind": "user", "id": "a", "email": "x"}', "email", "string_too_short"),
        (b'{"kind": "channel", "id": "a", "type": "pipe"}', "type", "literal_error"),
        (b'{"kind": "message", "id": "a", "channelId": "c", "userId": "u", "createdAt": "2020-01-01T00:00:00"}',
         "createdAt", "timezone_aware"),
        ((b'{"kind": "message", "id": "a", "channelId": "c", "userId": "u", "createdAt": "2020-01-01T00:00:00Z",'
         b' "attachments": [{"type": "image"}]}'), "attachments.0.url", "missing"),
    ],
)  # fmt: skip
def test_a_bad_line_says_where_and_what(line: bytes, path: str, code: str) -> None:
    read = read_piece(line, offset=0, number=7, is_last=True, most_lines=1)
    [problem] = read.problems
    assert (problem.line, problem.path, problem.code) == (7, path, code)
    assert problem.shown()["line"] == 7


def test_what_the_server_makes_is_dropped_where_an_export_has_it() -> None:
    line = orjson.dumps(
        {
            "kind": "message",
            "id": "m",
            "channelId": "c",
            "userId": "u",
            "createdAt": "2020-01-01T00:00:00Z",
            "seq": 4,
            "reactionCounts": {"👍": 1},
            "version": 2,
        }
    )
    [read] = read_piece(line, offset=0, number=1, is_last=True, most_lines=1).lines
    assert isinstance(read.line, MessageLine)


def test_an_id_is_its_own_if_it_is_a_uuid_and_otherwise_the_same_each_time() -> None:
    given_id, other = str(uuid4()), AppId(str(uuid4()))
    assert own_id(APP, "channel", given_id) == own_id(APP, "message", given_id) == UUID(given_id)
    made = {
        own_id(app_id, kind, name)
        for app_id in (APP, other)
        for kind in ("channel", "message")
        for name in ("general", "random")
    }
    assert len(made) == 8
    assert own_id(APP, "channel", "general") in made


def test_places_are_given_in_order_behind_what_is_there() -> None:
    first, reply, second, later = [uuid4() for _ in range(4)]
    elsewhere = uuid4()
    waiting = [
        Waiting(first, None, NOW),
        Waiting(reply, elsewhere, NOW + timedelta(1), last_thread_seq=3),
        Waiting(second, None, NOW + timedelta(2)),
        Waiting(later, elsewhere, NOW + timedelta(3), last_thread_seq=3),
    ]
    placed = place(waiting, 10)
    assert placed.seqs == {first: 11, second: 12}
    assert placed.thread_seqs == {reply: 4, later: 5}
    assert placed.threads == {elsewhere: (5, 2, NOW + timedelta(3))}
    assert placed.last_seq == 12
    assert place([], 10).last_seq == 10
