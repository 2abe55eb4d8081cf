"""A file is judged before anything of it is passed on, and stopped where it grows too large."""

import hashlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.uploads.errors import ContentMismatch, FileTooLarge
from chat_service.uploads.intake import Intake, at_most
from chat_service.uploads.rules import Kind

LIMITS: dict[Kind, int] = {"image": 20_000, "video": 30_000, "file": 10_000}


async def stream(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(st.lists(st.binary(max_size=3_000), max_size=4))
async def test_what_passes_is_the_same_measured_and_fingerprinted(chunks: list[bytes]) -> None:
    intake, whole = Intake("text/csv", {**LIMITS, "file": 20_000}), b"a,b\n" + b"".join(chunks)

    passed = [chunk async for chunk in intake.passing(stream([b"a,b\n", *chunks]))]

    assert b"".join(passed) == whole
    assert (intake.size, intake.digest) == (len(whole), hashlib.sha256(whole).digest())


async def test_nothing_of_a_false_file_is_passed_on() -> None:
    passing = Intake("image/png", LIMITS).passing(stream([b"<html>", b"x" * 9_000]))

    with pytest.raises(ContentMismatch):
        await anext(passing)


async def test_a_file_is_stopped_at_the_limit_of_what_it_turns_out_to_be() -> None:
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".ljust(5_000, b"x")

    intake = Intake("application/octet-stream", LIMITS)
    passed = [chunk async for chunk in intake.passing(stream([png, b"x" * 15_000]))]
    assert (intake.kind, intake.content_type, len(passed)) == ("image", "image/png", 2)

    with pytest.raises(FileTooLarge):
        async for _ in Intake("application/octet-stream", LIMITS).passing(stream([png, b"x" * 15_001])):
            pass


async def test_no_more_passes_than_was_announced() -> None:
    assert [chunk async for chunk in at_most(stream([b"ab", b"c"]), 3, "file")] == [b"ab", b"c"]
    with pytest.raises(FileTooLarge):
        async for _ in at_most(stream([b"ab", b"cd"]), 3, "file"):
            pass
