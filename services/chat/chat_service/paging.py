"""Cursors: where a list goes on, as opaque text; what is in one is the list's own affair."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import orjson
from fastapi import Query

from chatsdk_contracts.wire import WireModel
from chatsdk_runtime.errors import BadRequest, invalid_field

_MOST_DIGITS: Final = 18

Limit = Annotated[int, Query(ge=1, le=100, description="Most items of one page.")]
Cursor = Annotated[str | None, Query(max_length=2_048, description="`nextCursor` of the page before.")]


class Page(WireModel):
    """What every list has beside its items."""

    next_cursor: str | None
    has_more: bool


def encode_cursor(*position: str) -> str:
    """The position of the last item of a page."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).rstrip(b"=").decode()


def decode_cursor(cursor: str | None, length: int) -> Sequence[str] | None:
    """The position that `encode_cursor` was given; None for the first page.

    Raises:
        BadRequest: it is not a cursor of this list.
    """
    if cursor is None:
        return None
    try:
        position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != length
        or not all(isinstance(part, str) and "\0" not in part for part in position)
    ):
        raise broken_cursor()
    return position


def time_and_id(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The position in a list by time, then id.

    Raises:
        BadRequest: it is not a cursor of such a list.
    """
    position = decode_cursor(cursor, 2)
    if position is None:
        return None
    try:
        row_id = UUID(position[1])
    except ValueError:
        raise broken_cursor() from None
    return time_in_cursor(position[0]), row_id


def time_in_cursor(text: str) -> datetime:
    """A time out of a position, in UTC.

    Raises:
        BadRequest: it is none that we gave.
    """
    at = _time(text)
    if at is None:
        raise broken_cursor()
    return at


def time_in_query(name: str, text: str) -> datetime:
    """A time that a query names.

    Raises:
        InvalidInput: it is none, or one without a time zone.
    """
    at = _time(text)
    if at is None:
        raise invalid_field(name, "invalid_time", "is not a time such as 2026-01-31T12:00:00Z")
    return at


def _time(text: str) -> datetime | None:
    """None when it is no time, has no zone, or is out of the calendar in UTC."""
    try:
        at = datetime.fromisoformat(text)
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_number(text: str) -> bool:
    """Whether a text is a version or a seq, which have at most 18 digits; other scripts' digits are none of ours."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def id_in_cursor(cursor: str | None) -> UUID | None:
    """The position in a list by one of our ids.

    Raises:
        BadRequest: it is not a cursor of such a list.
    """
    position = decode_cursor(cursor, 1)
    if position is None:
        return None
    try:
        return UUID(position[0])
    except ValueError:
        raise broken_cursor() from None


def broken_cursor() -> BadRequest:
    """The error for a cursor that is none of ours."""
    return BadRequest("The cursor cannot be read.", hint="Use nextCursor as it was given, or none.")
