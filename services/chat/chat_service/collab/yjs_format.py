"""What is in a Yjs update (version 1), looked at before the library does: only what a plain shared text is made of. Pure.

An update says how much of what follows, and the library believes it: four bytes that promise millions of clients make it
allocate for them. Here every count is paid for by bytes that are there. Anything but the text named "text" (other shared
types, documents, binaries) is refused, since nobody would see it and everybody would have to keep it; and so is what
stands on something that has not come yet, which the library would set aside and forget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

TEXT_NAME: Final = "text"

_GARBAGE, _DELETED, _STRING, _EMBED, _FORMAT = 0, 1, 4, 5, 6
_CONTENT: Final = 0b0001_1111
_HAS_LEFT, _HAS_RIGHT, _HAS_KEY = 0x80, 0x40, 0x20
_LARGEST_ID: Final = (1 << 53) - 1
_LARGEST_CLOCK: Final = (1 << 31) - 1

StateVector = Mapping[int, int]
"""How far each client's changes are known: the clock of the next one."""


class BadUpdateError(ValueError):
    """These bytes are no update of a shared text named "text"."""


class MissingBaseError(ValueError):
    """A good update that stands on changes that are not there."""


@dataclass(slots=True)
class Contents:
    """What an update adds, by client as (first clock, clock behind the last), and what it stands on: (client, clock).

    `fresh`: in how many blocks, those that are known left out.
    """

    added: dict[int, tuple[int, int]] = field(default_factory=dict)
    needs: list[tuple[int, int]] = field(default_factory=list)
    fresh: int = 0


def read_update(update: bytes, known: StateVector) -> Contents:
    """Walk over an update, to be merged into what is known.

    Raises:
        BadUpdateError: it is none, or holds something else than text.
    """
    reader, found = _Reader(update), Contents()
    for _ in range(reader.count()):
        count, client, clock = reader.count(), reader.number(_LARGEST_ID), reader.number(_LARGEST_CLOCK)
        if client in found.added:
            raise BadUpdateError("a client stands there twice")
        start = clock
        for _ in range(count):
            clock += _read_block(reader, found)
            if clock > _LARGEST_CLOCK:
                raise BadUpdateError("a clock is out of range")
            found.fresh += clock > known.get(client, 0)
        found.added[client] = (start, clock)
    for _ in range(reader.count()):
        client = reader.number(_LARGEST_ID)
        for _ in range(reader.count()):
            clock, length = reader.number(_LARGEST_CLOCK), reader.number(_LARGEST_CLOCK)
            if length:
                found.needs.append((client, clock + length - 1))
    if not reader.is_at_end:
        raise BadUpdateError("bytes follow its end")
    return found


def require_base(contents: Contents, known: StateVector) -> None:
    """Raises MissingBaseError when an update leaves a gap behind what is known, or points to what is not there."""
    reached = dict(known)
    for client, (start, end) in contents.added.items():
        if start > known.get(client, 0):
            raise MissingBaseError
        reached[client] = max(end, known.get(client, 0))
    if any(clock >= reached.get(client, 0) for client, clock in contents.needs):
        raise MissingBaseError


def read_state_vector(encoded: bytes) -> dict[int, int]:
    """A state vector out of its bytes.

    Raises:
        BadUpdateError: it is none.
    """
    reader = _Reader(encoded)
    return {reader.number(_LARGEST_ID): reader.number(_LARGEST_CLOCK) for _ in range(reader.count())}


def _read_block(reader: _Reader, found: Contents) -> int:
    """One block; returns how far it moves the client's clock."""
    info = reader.byte()
    kind = info & _CONTENT
    if kind == _GARBAGE:
        return reader.length()
    for flag in (_HAS_LEFT, _HAS_RIGHT):
        if info & flag:
            found.needs.append((reader.number(_LARGEST_ID), reader.number(_LARGEST_CLOCK)))
    if not info & (_HAS_LEFT | _HAS_RIGHT):
        _require_text(reader, info)
    return _read_content(reader, kind)


def _require_text(reader: _Reader, info: int) -> None:
    """What has no neighbours says where it belongs."""
    if reader.number(1) != 1 or reader.text() != TEXT_NAME:
        raise BadUpdateError(f"it changes something else than the shared text named {TEXT_NAME!r}")
    if info & _HAS_KEY:
        raise BadUpdateError("it sets an attribute of the text, which a message has no place for")


def _read_content(reader: _Reader, kind: int) -> int:
    """What a block holds; returns how many clocks it takes."""
    if kind == _DELETED:
        return reader.length()
    if kind == _STRING:
        return _utf16_length(reader.text())
    if kind == _EMBED:
        reader.text()
        return 1
    if kind == _FORMAT:
        reader.text()
        reader.text()
        return 1
    raise BadUpdateError("it holds something else than text")


def _utf16_length(text: str) -> int:
    """Clocks count UTF-16 units, as JavaScript does."""
    length = len(text.encode("utf-16-le")) // 2
    if not length:
        raise BadUpdateError("a block is empty")
    return length


class _Reader:
    """Bytes taken from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._data)

    def byte(self) -> int:
        if self.is_at_end:
            raise BadUpdateError("it ends too early")
        self._position += 1
        return self._data[self._position - 1]

    def number(self, largest: int) -> int:
        """Seven bits a byte, the lowest first."""
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if value > largest or shift > 56:
                raise BadUpdateError("a number is out of range")
            if byte < 0x80:
                return value
            shift += 7

    def count(self) -> int:
        """A number of things, each of which has at least a byte."""
        return self.number(len(self._data) - self._position)

    def length(self) -> int:
        length = self.number(_LARGEST_CLOCK)
        if not length:
            raise BadUpdateError("a block is empty")
        return length

    def text(self) -> str:
        size = self.number(len(self._data))
        taken = self._data[self._position : self._position + size]
        self._position += size
        if self._position > len(self._data):
            raise BadUpdateError("it ends too early")
        try:
            return taken.decode()
        except UnicodeDecodeError:
            raise BadUpdateError("a text is not UTF-8") from None
