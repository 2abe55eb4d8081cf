"""How a row becomes a readable line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic.alias_generators import to_camel

from chatsdk_contracts.wire import format_time

# Columns that hold JSON.
_DOCUMENTS: Final = frozenset({"custom", "config", "attachments", "reaction_counts", "options"})


def line(kind: str, fields: Iterable[tuple[str, Any]]) -> bytes:
    """One object on one line: its kind, then its fields under the names that the API has for them."""
    named: dict[str, Any] = {"kind": kind}
    named |= {to_camel(name): _readable(name, value) for name, value in fields}
    return orjson.dumps(named, option=orjson.OPT_APPEND_NEWLINE)


def heading(fields: Mapping[str, Any], at: datetime) -> bytes:
    """The first line: of what the export is, and of when. The format's version is raised when a field goes."""
    return line("export", [("version", 1), *fields.items(), ("exported_at", at)])


def _readable(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, UUID):
        return str(value)
    if name in _DOCUMENTS and isinstance(value, str):
        return orjson.loads(value)
    return value
