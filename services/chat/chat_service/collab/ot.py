"""Operational transformation of plain text: apply, compose, transform. Pure.

An operation walks over the whole text it was made for: a positive number keeps so many code points, a negative one
deletes so many, a string is inserted where the walk stands. `transform` has the property that convergence needs (TP1):
whoever applies `first` and then the changed `second` has the same text as whoever applies them the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

Operation = tuple[int | str, ...]

_END: Final = 0
"""Stands for the next component of an operation that is walked to its end; no component is 0."""


def normalised(components: Iterable[int | str]) -> Operation:
    """The same effect in its only form: neighbours of a kind are one, an insertion stands before a deletion."""
    built = _Builder()
    for component in components:
        built.add(component)
    return tuple(built.components)


def base_length(operation: Sequence[int | str]) -> int:
    """How many code points the text has that the operation was made for."""
    return sum(abs(component) for component in operation if isinstance(component, int))


def apply(text: str, operation: Operation) -> str:
    """The text after the operation.

    Raises:
        ValueError: the operation was made for a text of another length.
    """
    _require_length(len(text), operation)
    parts: list[str] = []
    position = 0
    for component in operation:
        if isinstance(component, str):
            parts.append(component)
        else:
            if component > 0:
                parts.append(text[position : position + component])
            position += abs(component)
    return "".join(parts)


def compose(first: Operation, second: Operation) -> Operation:
    """One operation that does what `first` and then `second` do.

    Raises:
        ValueError: `second` was not made for the text that `first` leaves.
    """
    left_by_first = sum(
        len(component) if isinstance(component, str) else max(component, 0) for component in first
    )
    _require_length(left_by_first, second)
    built, one, two = _Builder(), _Walk(first), _Walk(second)
    while (a := one.head) != _END or two.head != _END:
        b = two.head
        if isinstance(a, int) and a < 0:
            built.add(one.take(-a))
        elif isinstance(b, str):
            built.add(two.take(len(b)))
        else:
            size = min(one.size, two.size)
            kept, over = one.take(size), two.take(size)
            if isinstance(over, int) and over > 0:
                built.add(kept)
            elif isinstance(kept, int):
                built.add(over)
    return tuple(built.components)


def transform(first: Operation, second: Operation) -> tuple[Operation, Operation]:
    """Both operations, made for one text, as they are to be applied after the other.

    Where both insert at one place, what `first` inserts stands first.

    Raises:
        ValueError: they were made for texts of different lengths.
    """
    _require_length(base_length(first), second)
    first_after, second_after = _Builder(), _Builder()
    one, two = _Walk(first), _Walk(second)
    while (a := one.head) != _END or two.head != _END:
        b = two.head
        if isinstance(a, str):
            first_after.add(one.take(len(a)))
            second_after.add(len(a))
        elif isinstance(b, str):
            first_after.add(len(b))
            second_after.add(two.take(len(b)))
        else:
            size = min(one.size, two.size)
            own, other = one.take(size), two.take(size)
            # What the other one deleted is there no more, to be kept or to be deleted.
            if _keeps(other):
                first_after.add(own)
            if _keeps(own):
                second_after.add(other)
    return tuple(first_after.components), tuple(second_after.components)


def _keeps(component: int | str) -> bool:
    return isinstance(component, int) and component > 0


def _require_length(length: int, operation: Operation) -> None:
    if base_length(operation) != length:
        message = f"the operation spans {base_length(operation)} code points of a text that has {length}"
        raise ValueError(message)


class _Builder:
    """Collects components in the normal form."""

    def __init__(self) -> None:
        self.components: list[int | str] = []

    def add(self, component: int | str) -> None:
        """Append one; nothing changes for an empty one."""
        if not component:
            return
        last = self.components[-1] if self.components else _END
        if isinstance(component, str):
            self._insert(component, last)
        elif isinstance(last, int) and last and (last > 0) == (component > 0):
            self.components[-1] = last + component
        else:
            self.components.append(component)

    def _insert(self, text: str, last: int | str) -> None:
        if isinstance(last, str):
            self.components[-1] = last + text
        elif last < 0:
            # Inserting and deleting at one place commute: the insertion goes first.
            before = self.components[-2] if len(self.components) > 1 else _END
            if isinstance(before, str):
                self.components[-2] = before + text
            else:
                self.components.insert(-1, text)
        else:
            self.components.append(text)


class _Walk:
    """An operation taken piece by piece."""

    def __init__(self, operation: Operation) -> None:
        self._rest = list(reversed(operation))

    @property
    def head(self) -> int | str:
        """What comes next; `_END` behind the last one."""
        return self._rest[-1] if self._rest else _END

    @property
    def size(self) -> int:
        """How many code points the next component spans or inserts."""
        return len(self.head) if isinstance(self.head, str) else abs(self.head)

    def take(self, size: int) -> int | str:
        """The first `size` code points of the next component."""
        component = self._rest.pop()
        if isinstance(component, str):
            if size < len(component):
                self._rest.append(component[size:])
            return component[:size]
        sign = 1 if component > 0 else -1
        if size < abs(component):
            self._rest.append(component - sign * size)
        return sign * size
