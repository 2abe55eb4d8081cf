"""What a file is, what it may be called, and how it is shown."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.uploads.rules import (
    LONGEST_FILENAME,
    ByteRange,
    canonical_type,
    content_headers,
    folder_of,
    incoming_path,
    kind_of,
    matches_tag,
    safe_filename,
    settled_type,
    shown_in_place,
    wanted_range,
)
from chatsdk_contracts.ids import new_id

TEXT = b"hello"
EXE = b"MZ\x90\x00" + b"\0" * 60


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("image/png", "image/png"),
        ("IMAGE/PNG; charset=x", "image/png"),
        ("image/jpg", "image/jpeg"),
        ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
        ("png", "application/octet-stream"),
        ("text/html\r\nX-Evil: 1", "application/octet-stream"),
        ("a/b/c", "application/octet-stream"),
    ],
)
def test_a_declared_type_is_canonical_or_unknown(given: str | None, canonical: str) -> None:
    assert canonical_type(given) == canonical


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("image/png", "image"),
        ("image/svg+xml", "file"),
        ("video/mp4", "video"),
        ("audio/mpeg", "file"),
        ("application/pdf", "file"),
    ],
)
def test_a_type_has_a_kind(content_type: str, kind: str) -> None:
    assert kind_of(content_type) == kind


@pytest.mark.parametrize(
    ("declared", "sniffed", "head", "settled"),
    [
        pytest.param("image/png", ["image/png"], TEXT, "image/png", id="what it says"),
        pytest.param("image/png", ["image/jpeg"], TEXT, "image/jpeg", id="another picture is called what it is"),
        pytest.param("image/bmp", ["image/x-ms-bmp"], TEXT, "image/bmp", id="another name of the same"),
        pytest.param("image/png", ["text/html"], TEXT, None, id="a page as a picture"),
        pytest.param("image/png", ["image/svg+xml"], TEXT, None, id="a drawing with scripts as a picture"),
        pytest.param("image/png", [], TEXT, None, id="nothing known as a picture"),
        pytest.param("video/mp4", ["audio/mp4"], TEXT, "video/mp4", id="sound and film share containers"),
        pytest.param("video/x-new", [], TEXT, "video/x-new", id="a container that nobody knows"),
        pytest.param("audio/ogg", ["application/ogg"], TEXT, "audio/ogg", id="ogg by its general name"),
        pytest.param("video/mp4", ["application/zip"], TEXT, None, id="an archive as a film"),
        pytest.param("application/octet-stream", ["image/png"], TEXT, "image/png", id="unknown: what it looks like"),
        pytest.param("application/octet-stream", ["text/html"], TEXT, "application/octet-stream", id="but no page"),
        pytest.param("application/octet-stream", [], EXE, "application/octet-stream", id="a program as unknown"),
        pytest.param("application/pdf", [], EXE, None, id="a program as a document"),
        pytest.param("text/plain", [], b"#!/bin/sh", None, id="a script as a text"),
        pytest.param("application/x-sh", [], b"#!/bin/sh", "application/x-sh", id="a script as a script"),
        pytest.param("text/plain", [], b"MZ is a text", "text/plain", id="a text that begins like a program"),
        pytest.param("text/plain", ["text/html"], TEXT, "text/plain", id="a page as a text is a text"),
        pytest.param("application/vnd.x+zip", ["application/zip"], TEXT, "application/vnd.x+zip", id="a document in an archive"),
    ],
)  # fmt: skip
def test_content_is_held_against_its_claim(
    declared: str, sniffed: list[str], head: bytes, settled: str | None
) -> None:
    assert settled_type(declared, sniffed, head) == settled


@given(st.sampled_from(["image/png", "video/mp4", "text/html", "application/pdf"]), st.binary(max_size=80))
def test_nothing_that_is_shown_in_place_was_recognised_as_something_that_runs(
    declared: str, head: bytes
) -> None:
    settled = settled_type(declared, ["text/html", "image/svg+xml"], head)

    assert settled is None or not shown_in_place(settled)


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\a.txt", "a.txt"),
        ("..", "file"),
        ("", "file"),
        (".htaccess", "htaccess"),
        ("a\r\nb.txt", "ab.txt"),
        ("exe\u202etxt.gpj", "exetxt.gpj"),
        ('a"b<c>.txt', "a_b_c_.txt"),
        ("Ünïcode 文件.png", "Ünïcode 文件.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_name_is_made_safe(given: str, safe: str) -> None:
    assert safe_filename(given) == safe


@given(st.text())
def test_a_safe_name_stays_as_it_is_and_names_no_place(name: str) -> None:
    safe = safe_filename(name)

    assert safe_filename(safe) == safe
    assert 1 <= len(safe) <= LONGEST_FILENAME
    assert not {"/", "\\", "\0", "\r", "\n", '"'} & set(safe)
    assert safe not in {".", ".."}


@given(st.text(), st.sampled_from(["image/png", "text/html", "video/mp4"]))
def test_headers_carry_any_name_and_keep_the_file_harmless(name: str, content_type: str) -> None:
    safe = safe_filename(name)
    headers = content_headers(safe, content_type)

    kind, _, encoded = headers["Content-Disposition"].partition("; filename*=UTF-8''")
    assert unquote(encoded) == safe
    assert encoded.isascii()
    assert kind == ("attachment" if content_type == "text/html" else "inline")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize(
    ("header", "size", "wanted"),
    [
        (None, 10, "all"),
        ("bytes=0-0", 10, ByteRange(0, 1)),
        ("bytes=9-", 10, ByteRange(9, 10)),
        ("bytes=-3", 10, ByteRange(7, 10)),
        ("bytes=-30", 10, ByteRange(0, 10)),
        ("bytes=5-2", 10, "all"),
        ("bytes=-", 10, "all"),
        ("bytes=10-", 10, "unsatisfiable"),
        ("bytes=-0", 10, "unsatisfiable"),
        ("bytes=0-", 0, "unsatisfiable"),
        ("bytes=-5", 0, "unsatisfiable"),
        ("bytes=\u0661-2", 10, "all"),
        ("bytes=1e3-", 10, "all"),
    ],
)
def test_a_range_is_read_as_the_standard_has_it(header: str | None, size: int, wanted: object) -> None:
    assert wanted_range(header, size) == wanted


@given(st.integers(0, 10**6), st.integers(0, 2 * 10**6), st.integers(0, 2 * 10**6))
def test_a_part_always_lies_within_the_file(size: int, first: int, last: int) -> None:
    for header in (f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last}"):
        wanted = wanted_range(header, size)
        if isinstance(wanted, ByteRange):
            assert 0 <= wanted.start < wanted.end <= size


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        (None, False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
    ],
)
def test_a_tag_is_matched_weakly(header: str | None, matches: bool) -> None:
    assert matches_tag(header, '"a"') is matches


def test_a_folder_is_made_of_an_id_and_of_nothing_else() -> None:
    upload_id = new_id()

    assert folder_of(upload_id.upper()) == f"{upload_id[-2:]}/{upload_id[-4:-2]}/{upload_id}"
    assert incoming_path(upload_id) == f"{folder_of(upload_id)}/incoming"
    for hostile in ("../../etc", "", "/etc/passwd", f"{upload_id}/.."):
        with pytest.raises(ValueError):
            folder_of(hostile)
