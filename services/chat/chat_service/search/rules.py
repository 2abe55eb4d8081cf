"""The query language, what it matches, and the marks around what was found. Pure.

`"a b"` is a phrase, `-a` excludes, `or` parts alternatives, and all else of an alternative has to be there. The last
word, perhaps still being typed, matches by its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from chat_service.search.words import Word, words_of

# A single letter begins too many words to be worth a look.
SHORTEST_PREFIX: Final = 2
_PART = re.compile(r'(?P<minus>-)?(?:"(?P<quoted>[^"]*)"?|(?P<plain>[^\s"]+))')


@dataclass(frozen=True, slots=True)
class Clause:
    """Words that have to follow each other. `open_end`: the last one is matched by its beginning."""

    words: tuple[str, ...]
    negated: bool = False
    open_end: bool = False

    @property
    def tsquery(self) -> str:
        """The clause as PostgreSQL reads it."""
        phrase = " <-> ".join(f"'{word}'" for word in self.words) + (":*" if self.open_end else "")
        return f"!({phrase})" if self.negated else f"({phrase})"

    def spans(self, words: Sequence[Word]) -> Iterator[tuple[int, int]]:
        """Where the clause stands in a text, from its first character to behind its last."""
        length = len(self.words)
        for first in range(len(words) - length + 1):
            if self._stands_at(words, first):
                yield words[first].start, words[first + length - 1].end

    def _stands_at(self, words: Sequence[Word], first: int) -> bool:
        *before, last = self.words
        if any(words[first + place].folded != word for place, word in enumerate(before)):
            return False
        there = words[first + len(before)].folded
        return there.startswith(last) if self.open_end else there == last


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Alternatives, each of clauses that all have to hold; every alternative looks for something."""

    alternatives: tuple[tuple[Clause, ...], ...]

    @property
    def tsquery(self) -> str:
        """The query as PostgreSQL reads it."""
        return " | ".join(
            f"({' & '.join(clause.tsquery for clause in clauses)})" for clauses in self.alternatives
        )

    @property
    def unfinished(self) -> str | None:
        """The word that is being typed, if it may be completed."""
        last = self.alternatives[-1][-1]
        return last.words[-1] if last.open_end else None

    def matches(self, words: Sequence[Word]) -> bool:
        """Whether a text is found: the same answer as the index gives."""
        return any(
            all(any(clause.spans(words)) != clause.negated for clause in clauses)
            for clauses in self.alternatives
        )


def parse_query(text: str) -> SearchQuery | None:
    """What was typed, as a query; None when it looks for nothing: no word in it, or only excluded ones."""
    alternatives: list[list[Clause]] = [[]]
    for part in _PART.finditer(text):
        plain = part["plain"]
        if plain is not None and part["minus"] is None and plain.lower() == "or":
            alternatives.append([])
            continue
        words = tuple(word.folded for word in words_of(plain if plain is not None else part["quoted"]))
        if words:
            negated = part["minus"] is not None
            is_last = plain is not None and not text[part.end() :].strip()
            open_end = is_last and not negated and len(words[-1]) >= SHORTEST_PREFIX
            alternatives[-1].append(Clause(words, negated, open_end))
    looking = tuple(
        tuple(clauses) for clauses in alternatives if any(not clause.negated for clause in clauses)
    )
    return SearchQuery(looking) if looking else None


def highlight(text: str, words: Sequence[Word], query: SearchQuery) -> str:
    """The text as HTML with `<mark>` around what was looked for."""
    sought = [clause for clauses in query.alternatives for clause in clauses if not clause.negated]
    spans = sorted(span for clause in sought for span in clause.spans(words))
    pieces, done = [], 0
    for start, end in _joined(spans):
        pieces += [escape(text[done:start]), "<mark>", escape(text[start:end]), "</mark>"]
        done = end
    return "".join([*pieces, escape(text[done:])])


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places, those that touch as one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def completions(prefix: str, texts: Sequence[str], most: int) -> list[str]:
    """The words of these texts that begin so and go on, those in most texts first, as the first text writes them."""
    seen: dict[str, str] = {}
    counts: dict[str, int] = {}
    for text in texts:
        written = {word.folded: text[word.start : word.end] for word in words_of(text)}
        for folded, shown in written.items():
            if folded != prefix and folded.startswith(prefix):
                seen.setdefault(folded, shown.lower())
                counts[folded] = counts.get(folded, 0) + 1
    ranked = sorted(counts, key=lambda folded: (-counts[folded], folded))
    return [seen[folded] for folded in ranked[:most]]
