"""A shared text as the server keeps it: a Yjs document, into which updates are merged in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pycrdt import Doc, Text

from chat_service.collab.yjs_format import (
    TEXT_NAME,
    BadUpdateError,
    Contents,
    read_state_vector,
    read_update,
    require_base,
)

MOST_BLOCKS: Final = 500
"""New blocks of one operation. Each may be compared with all that stand at its place, for which the channel is held."""

_SEEDER: Final = 1
"""The client in whose name the server writes the text that a message was sent with; clients choose large numbers."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The document after some updates, encoded, and what it says."""

    state: bytes
    text: str


class UpdateRefusedError(ValueError):
    """One of several updates cannot be merged: which one, and why."""

    def __init__(self, index: int, reason: ValueError) -> None:
        super().__init__(str(reason))
        self.index = index
        self.reason = reason


def seeded(text: str) -> bytes:
    """The state of a document that says this and nothing else; the same bytes' worth each time it is made."""
    document: Doc[Text] = Doc(client_id=_SEEDER)
    document[TEXT_NAME] = Text(text)
    return document.get_update()


def merge(state: bytes, updates: Sequence[bytes]) -> Merged:
    """Merge updates, each of which may stand on those before it.

    Raises:
        UpdateRefusedError: one is no update of a text, stands on something that is not there, or makes a text that reads
            differently for whoever loads it anew (an update that no editor makes can name neighbours that contradict).
    """
    document: Doc[Text] = Doc()
    document.apply_update(state)
    text = document.get(TEXT_NAME, type=Text)
    fresh = 0
    for index, update in enumerate(updates):
        try:
            fresh += _checked(document, update).fresh
            if fresh > MOST_BLOCKS:
                raise BadUpdateError(
                    f"it brings more than {MOST_BLOCKS} blocks at once; send smaller updates"
                )
            _apply(document, update)
        except ValueError as reason:
            raise UpdateRefusedError(index, reason) from reason
    merged = Merged(document.get_update(), str(text))
    if updates and _read_anew(merged.state) != merged.text:
        contradiction = BadUpdateError(
            "it puts a block between neighbours that do not stand so; reload the text"
        )
        raise UpdateRefusedError(len(updates) - 1, contradiction)
    return merged


def _read_anew(state: bytes) -> str:
    document: Doc[Text] = Doc()
    document.apply_update(state)
    return str(document.get(TEXT_NAME, type=Text))


def _checked(document: Doc[Text], update: bytes) -> Contents:
    known = read_state_vector(document.get_state())
    contents = read_update(update, known)
    require_base(contents, known)
    return contents


def _apply(document: Doc[Text], update: bytes) -> None:
    try:
        document.apply_update(update)
    except ValueError as reason:
        raise BadUpdateError("it cannot be read") from reason
