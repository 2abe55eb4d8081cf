"""Shared documents: they converge in whatever order updates come, and what is no update of a text is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from chat_service.collab.document import UpdateRefusedError, merge, seeded
from chat_service.collab.yjs_format import (
    BadUpdateError,
    MissingBaseError,
    read_state_vector,
    read_update,
    require_base,
)

EDITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 40), st.sampled_from(["", "a", "é", "😀𝄞"])), max_size=12
)


class Writer:
    """A client: a document of its own, edited without a connection."""

    def __init__(self, client_id: int, state: bytes) -> None:
        self.document: Doc[Text] = Doc(client_id=client_id)
        self.document.apply_update(state)
        self.text = self.document.get("text", type=Text)

    def edit(self, place: int, words: str) -> bytes:
        """Insert words at a place, or without any delete there; returns the update."""
        before = self.document.get_state()
        # Places count bytes here; what follows a whole character is one.
        said = str(self.text)
        start = len(said[: place % (len(said) + 1)].encode())
        if words:
            self.text.insert(start, words)
        elif start < len(said.encode()):
            del self.text[start : start + len(said.encode()[start:].decode()[0].encode())]
        return self.document.get_update(before)


@given(EDITS, st.randoms(use_true_random=False))
def test_writers_who_knew_nothing_of_each_other_end_with_one_text(
    edits: list[tuple[int, int, str]], chance: object
) -> None:
    state = seeded("begin 😀")
    writers = [Writer(100 + number, state) for number in range(3)]
    updates: list[list[bytes]] = [[], [], []]
    for number, place, words in edits:
        updates[number].append(writers[number].edit(place, words))

    one = merge(state, [update for by_writer in updates for update in by_writer])
    other = merge(state, [update for by_writer in reversed(updates) for update in by_writer * 2])

    assert one.text == other.text
    for writer in writers:
        writer.document.apply_update(one.state)
        assert str(writer.text) == one.text
    assert merge(one.state, []) == one


def test_a_document_is_seeded_alike_each_time_and_merges_with_itself() -> None:
    assert seeded("hi 😀") == seeded("hi 😀")
    assert merge(seeded("hi 😀"), [seeded("hi 😀")]).text == "hi 😀"
    assert merge(seeded(""), []).text == ""


def update_of(**shared: object) -> bytes:
    document: Doc[Text] = Doc(client_id=9)
    for name, value in shared.items():
        # Other types than a text, which the type of this document does not know.
        document[name] = value  # type: ignore[assignment]
    return document.get_update()


GOOD = Writer(9, seeded("abc")).edit(1, "x")


@pytest.mark.parametrize(
    ("update", "why"),
    [
        (b"", "ends too early"),
        (GOOD[:-1], "ends too early"),
        (GOOD + b"\x00", "bytes follow"),
        # Millions of clients promised in five bytes.
        (b"\xb9\xb6\x92\x0e\x00", "out of range"),
        (b"\x01\x01\x09\x00\x04\x01\x04text\x02\xff\xff\x00", "not UTF-8"),
        (b"\x01\x01\x09\x00\x04\x01\x04text\x00\x00", "is empty"),
        (b"\x01\x01\x09\xff\xff\xff\xff\x0f\x04\x01\x04text\x01a\x00", "out of range"),
        (b"\x01\x02\x09\x00\x00\xff\xff\xff\xff\x07\x00\x01\x00", "out of range"),
        (b"\x02\x01\x09\x00\x00\x01\x01\x09\x01\x00\x01\x00", "twice"),
        (b"\x01\x01\x09\x00\x24\x01\x04text\x01k\x01a\x00", "attribute"),
        (update_of(other=Text("x")), "named 'text'"),
        (update_of(text=Map({"a": 1})), "attribute"),
        (update_of(text=Array([1, 2])), "something else than text"),
    ],
)
def test_what_is_no_update_of_the_text_is_refused_before_the_library_sees_it(update: bytes, why: str) -> None:
    with pytest.raises(BadUpdateError, match=why):
        read_update(update, {})
    with pytest.raises(UpdateRefusedError, match=why) as refused:
        merge(seeded("abc"), [GOOD, update])
    assert refused.value.index == 1


@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4))
def test_whatever_comes_is_merged_or_refused(noise: bytes, bent: list[tuple[int, int]]) -> None:
    broken = bytearray(GOOD)
    for place, value in bent:
        broken[place % len(broken)] = value
    for update in (noise, bytes(broken)):
        try:
            after = merge(seeded("abc"), [update])
        except UpdateRefusedError:
            continue
        assert merge(after.state, []).text == after.text


def test_a_text_that_reads_differently_when_it_is_loaded_anew_is_refused() -> None:
    broken = bytearray(GOOD)
    broken[66 % len(broken)] = 1

    with pytest.raises(UpdateRefusedError, match="neighbours"):
        merge(seeded("abc"), [bytes(broken)])


def test_a_crowd_of_blocks_at_one_place_is_refused_and_what_is_known_does_not_count() -> None:
    # A client for each: the library would compare every one with all the others.
    blocks = [
        b"\x01" + bytes([0x80 | number % 128, 2 + number // 128]) + b"\x00\x04\x01\x04text\x01a"
        for number in range(501)
    ]
    many, most = b"\xf5\x03" + b"".join(blocks) + b"\x00", b"\xf4\x03" + b"".join(blocks[:500]) + b"\x00"
    with pytest.raises(UpdateRefusedError, match="more than 500 blocks"):
        merge(seeded(""), [many])
    first = merge(seeded(""), [most])
    assert len(first.text) == 500
    assert len(merge(first.state, [many]).text) == 501


def test_formats_and_embeds_are_part_of_a_text() -> None:
    writer = Writer(9, seeded("abc"))
    before = writer.document.get_state()
    writer.text.format(0, 2, {"bold": True})
    writer.text.insert_embed(1, {"image": "x"})
    assert merge(seeded("abc"), [writer.document.get_update(before)]).text == str(writer.text)


def test_an_update_that_stands_on_what_is_not_there_is_refused() -> None:
    writer = Writer(9, seeded("abc"))
    first, second, deletion = writer.edit(3, "d"), writer.edit(4, "e"), writer.edit(4, "")

    for missing in (second, deletion):
        with pytest.raises(UpdateRefusedError) as refused:
            merge(seeded("abc"), [missing])
        assert isinstance(refused.value.reason, MissingBaseError)
    assert merge(seeded("abc"), [first, second, deletion]).text == "abcd"
    with pytest.raises(MissingBaseError):
        require_base(read_update(GOOD, {}), {})
    assert read_state_vector(writer.document.get_state())[9] == 2
