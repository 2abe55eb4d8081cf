"""Finding the phrases of a word list in a text: pure, and in one pass however many phrases there are.

Text and phrases are folded alike: compatibility forms, letter case, runs of white space and invisible characters make
no difference (two texts with one NFKC case folding are one). A phrase matches whole characters as people see them, so
that "e" is not found in "é". The automaton is Aho and Corasick's: no expression that backtracks, no phrase for itself.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

Match = Literal["word", "substring"]
Action = Literal["mask", "hold", "reject"]

SEVERITY: Final[Mapping[Action | None, int]] = {None: 0, "mask": 1, "hold": 2, "reject": 3}
MASK: Final = "*"
# A base character with more marks than this is cut: ordering marks takes quadratic time.
_LONGEST_CLUSTER: Final = 32
_CODE_POINT_BITS: Final = 21
# Characters that nobody sees, beyond the format characters: joiners, fillers, variation selectors.
_INVISIBLE: Final = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is looked for, how, and what follows."""

    text: str
    match: Match
    action: Action


@dataclass(frozen=True, slots=True)
class Found:
    """The strictest action of all phrases found (None: there is none), and the text with what is masked."""

    action: Action | None
    text: str


@dataclass(slots=True)
class _Folded:
    """A text's folded letters; each knows the visible character that it comes from, and that one its place."""

    letters: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)

    def starts(self, position: int) -> bool:
        """Whether a visible character begins here."""
        return position == 0 or self.owners[position - 1] != self.owners[position]

    def ends(self, position: int) -> bool:
        """Whether a visible character ends here."""
        return position == len(self.owners) - 1 or self.owners[position + 1] != self.owners[position]

    def is_inside(self, left: int, right: int) -> bool:
        """Whether both positions are letters of one word."""
        return left >= 0 and right < len(self.letters) and all(map(_is_of_word, self._pair(left, right)))

    def _pair(self, left: int, right: int) -> tuple[str, str]:
        return self.letters[left], self.letters[right]


def folded(phrase: str) -> str:
    """A phrase as it is compared; empty when nothing of it can be seen."""
    seen = [place for place, letter in enumerate(phrase) if not (letter.isspace() or _is_invisible(letter))]
    return "".join(_fold(phrase[seen[0] : seen[-1] + 1]).letters) if seen else ""


class Matcher:
    """The phrases of a list, made ready once and asked for every text."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._next: dict[int, int] = {}
        self._fails: list[int] = [0]
        self._ends: list[list[tuple[Phrase, int]]] = [[]]
        children: list[list[tuple[int, int]]] = [[]]
        for phrase in phrases:
            self._add(phrase, children)
        # Per node: the next shorter phrase that ends here too, the strictest action of these and of its own, and
        # whether one of them masks.
        self._shorter: list[int] = [0] * len(self._fails)
        self._severity: list[int] = [0] * len(self._fails)
        self._masks: list[bool] = [False] * len(self._fails)
        self._connect(children)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is ever found."""
        return len(self._fails) == 1

    def look(self, text: str) -> Found:
        """What of the list is in this text."""
        if self.is_empty:
            return Found(None, text)
        given = _fold(text)
        worst, node = 0, 0
        hidden: list[tuple[int, int]] = []
        for end, letter in enumerate(given.letters):
            node = self._step(node, ord(letter))
            severity, start = self._judge(node, given, end, worst)
            worst = max(worst, severity)
            if start is not None:
                hidden.append((given.spans[given.owners[start]][0], given.spans[given.owners[end]][1]))
            if worst == SEVERITY["reject"]:
                break
        action = next(name for name, severity in SEVERITY.items() if severity == worst)
        return Found(action, _masked(text, hidden) if hidden else text)

    def _add(self, phrase: Phrase, children: list[list[tuple[int, int]]]) -> None:
        letters, node = folded(phrase.text), 0
        for letter in letters:
            key = node << _CODE_POINT_BITS | ord(letter)
            if key not in self._next:
                self._next[key] = len(self._fails)
                children[node].append((ord(letter), len(self._fails)))
                children.append([])
                self._fails.append(0)
                self._ends.append([])
            node = self._next[key]
        if node:
            self._ends[node].append((phrase, len(letters)))

    def _connect(self, children: Sequence[Sequence[tuple[int, int]]]) -> None:
        """Breadth first, so that every shorter suffix is ready before it is needed."""
        waiting = deque(child for _, child in children[0])
        for _, child in children[0]:
            self._sum_up(child)
        while waiting:
            node = waiting.popleft()
            for code, child in children[node]:
                self._fails[child] = self._step(self._fails[node], code)
                self._sum_up(child)
                waiting.append(child)

    def _sum_up(self, node: int) -> None:
        fail = self._fails[node]
        shorter = fail if self._ends[fail] else self._shorter[fail]
        own = [phrase.action for phrase, _ in self._ends[node]]
        self._shorter[node] = shorter
        self._severity[node] = max([self._severity[shorter], *(SEVERITY[action] for action in own)])
        self._masks[node] = self._masks[shorter] or "mask" in own

    def _step(self, node: int, code: int) -> int:
        while True:
            found = self._next.get(node << _CODE_POINT_BITS | code)
            if found is not None:
                return found
            if node == 0:
                return 0
            node = self._fails[node]

    def _judge(self, node: int, given: _Folded, end: int, worst: int) -> tuple[int, int | None]:
        """The strictest of the phrases that end here, and where the longest one that masks begins."""
        start: int | None = None
        at = node if self._ends[node] else self._shorter[node]
        # From the longest to the shortest, for as long as one of the rest can still say something new.
        while at and (self._severity[at] > worst or (start is None and self._masks[at])):
            for phrase, length in self._ends[at]:
                severity, begin = SEVERITY[phrase.action], end - length + 1
                is_news = severity > worst or (phrase.action == "mask" and start is None)
                if is_news and _stands(phrase, given, begin, end):
                    worst = max(worst, severity)
                    if phrase.action == "mask":
                        start = begin
            at = self._shorter[at]
        return worst, start


def _stands(phrase: Phrase, given: _Folded, begin: int, end: int) -> bool:
    """Whether a phrase at this place is made of whole characters, and of whole words if it asks for that."""
    if not (given.starts(begin) and given.ends(end)):
        return False
    if phrase.match == "substring":
        return True
    return not given.is_inside(begin - 1, begin) and not given.is_inside(end, end + 1)


def _masked(text: str, hidden: Sequence[tuple[int, int]]) -> str:
    covered = bytearray(len(text))
    for start, end in hidden:
        covered[start:end] = b"\x01" * (end - start)
    return "".join(MASK if cover else letter for letter, cover in zip(text, covered, strict=True))


def _fold(text: str) -> _Folded:
    result = _Folded()
    for start, end in _clusters(text):
        owner = len(result.spans)
        result.spans.append((start, end))
        for letter in _folded_cluster(text[start:end]):
            if letter == " " and result.letters and result.letters[-1] == " ":
                continue
            result.letters.append(letter)
            result.owners.append(owner)
    return result


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """The characters as people see them, nearly: a base with its marks, a Hangul syllable of several letters."""
    start = 0
    for position in range(1, len(text) + 1):
        is_full = position - start == _LONGEST_CLUSTER
        if position == len(text) or is_full or not _continues(text[position]):
            yield start, position
            start = position


def _continues(letter: str) -> bool:
    if letter.isascii():
        return False
    is_mark = unicodedata.category(letter).startswith("M") or letter in "\uff9e\uff9f"
    return is_mark or "\u1160" <= letter <= "\u11ff"


@lru_cache(maxsize=16_384)
def _folded_cluster(cluster: str) -> str:
    # Decomposed and not composed: what a letter becomes must not hang on its neighbours. Twice, as caseless
    # matching under compatibility needs it (Unicode 3.13, D146).
    once = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", cluster).casefold())
    twice = unicodedata.normalize("NFKD", once.casefold())
    seen = (letter for letter in twice if not _is_invisible(letter))
    return "".join(" " if letter.isspace() else letter for letter in seen)


def _is_invisible(letter: str) -> bool:
    return ord(letter) in _INVISIBLE or unicodedata.category(letter) == "Cf"


@lru_cache(maxsize=16_384)
def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter).startswith("M")
