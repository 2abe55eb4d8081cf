"""Text as words: the same on the side of the index and of the query."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.search.words import LONGEST_WORD, vector_of, words_of


def folded(text: str) -> list[str]:
    return [word.folded for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("... !", []),
        ("Hello, World", ["hello", "world"]),
        # The database's own parser takes these for a path, a host and a signed number.
        ("and/or a.b -5", ["and", "or", "a", "b", "5"]),
        ("snake_case", ["snake", "case"]),
        ("Café CREME\u0301", ["cafe", "creme"]),
        ("Straße", ["strasse"]),
        # Full width.
        ("\uff21\uff22\uff23", ["abc"]),
        # Han and kana have no spaces; the voicing mark makes another syllable.
        ("北京ガ", ["北", "京", "ガ"]),
        # Vowel signs of Hindi are part of the word.
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        # Vowel points of Hebrew are not.
        ("שָׁלוֹם", ["שלום"]),
        ("hi \U0001f600 there", ["hi", "there"]),
    ],
)
def test_text_is_cut_and_folded(text: str, words: list[str]) -> None:
    assert folded(text) == words


def test_a_word_without_end_is_compared_by_its_beginning() -> None:
    assert folded("x" * 10_000) == ["x" * LONGEST_WORD]


def test_words_become_a_vector_with_their_places() -> None:
    assert vector_of(words_of("To be, to")) == "'to':1 'be':2 'to':3"


@given(st.text())
def test_words_stand_where_they_say_and_hold_nothing_that_a_vector_would_take_amiss(text: str) -> None:
    end = 0
    for word in words_of(text):
        assert end <= word.start < word.end <= len(text)
        assert word.folded
        assert not set("'\\\0 :") & set(word.folded)
        end = word.end


@given(st.text(alphabet=st.characters(max_codepoint=0x7F)))
def test_ascii_takes_a_short_way_to_the_same_words(text: str) -> None:
    assert words_of(text) == words_of(text + "\u2014")
