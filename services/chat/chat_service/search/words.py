"""Text as words: what is indexed, what a query is compared with, and where a hit is marked.

The same few lines cut and fold both sides, so that index, query and mark cannot disagree, and neither depends on
the server's locale, extensions or text search parser (which takes `and/or` for a file and finds neither word).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

# PostgreSQL takes lexemes of up to 2,046 bytes; longer words are compared by their beginnings.
LONGEST_WORD: Final = 255
_ASCII_WORD = re.compile(r"[0-9A-Za-z]+")
_GAP, _LETTER, _SYLLABLE = 0, 1, 2
# Written without spaces (Thai to Khmer, kana, Han): each character is a word, and what is typed is a phrase.
_UNSPACED: Final = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)


class Word(NamedTuple):
    """A word as it is compared, and where it stands in the text."""

    folded: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of a text, in order."""
    if text.isascii():
        return [
            Word(found[0][:LONGEST_WORD].lower(), found.start(), found.end())
            for found in _ASCII_WORD.finditer(text)
        ]
    found: list[Word] = []
    for kind, run in groupby(enumerate(text), lambda placed: _kind(placed[1])):
        places = [place for place, _ in run]
        if kind == _LETTER:
            found.append(_word(text, places[0], places[-1] + 1))
        elif kind == _SYLLABLE:
            found += [_word(text, place, place + 1) for place in places]
    return [word for word in found if word.folded]


def vector_of(words: list[Word]) -> str:
    """The words with their places, as PostgreSQL reads a `tsvector`. No word holds a quote or a backslash."""
    return " ".join(f"'{word.folded}':{place}" for place, word in enumerate(words, 1))


def _word(text: str, start: int, end: int) -> Word:
    return Word(_folded(text[start:end]), start, end)


def _folded(run: str) -> str:
    """Without case, width, accents and vowel points; marks that spell (Indic vowels, kana voicing) stay."""
    apart = unicodedata.normalize("NFKD", run.casefold())
    bare = "".join(char for char in apart if not _is_accent(char))
    whole = unicodedata.normalize("NFKC", bare).casefold()
    # Compatibility forms may come apart into signs.
    return "".join(char for char in whole if _kind(char) != _GAP)[:LONGEST_WORD]


def _is_accent(char: str) -> bool:
    mark = unicodedata.combining(char)
    # Hebrew and Arabic points; then what is set above and below a letter.
    return 10 <= mark <= 35 or mark >= 200


@lru_cache(maxsize=65_536)
def _kind(char: str) -> int:
    if any(low <= ord(char) <= high for low, high in _UNSPACED):
        return _SYLLABLE if _spells(char) else _GAP
    return _LETTER if _spells(char) else _GAP


def _spells(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char).startswith("M")
