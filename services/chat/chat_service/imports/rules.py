"""Pure decisions of imports: what a line is, which id it gets, which numbers messages get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import orjson
from pydantic import ValidationError

from chat_service.imports.requests import (
    ChannelLine,
    ImportLine,
    MemberLine,
    MessageLine,
    ReactionLine,
    UserLine,
)
from chatsdk_contracts.ids import AppId

LONGEST_LINE: Final = 256 * 1024
MOST_PROBLEMS: Final = 100
_MODELS: Final[Mapping[str, type[ImportLine]]] = {
    "user": UserLine,
    "channel": ChannelLine,
    "member": MemberLine,
    "message": MessageLine,
    "reaction": ReactionLine,
}
# What exports hold beside; it belongs to users and channels that are made by other lines, or to nobody here.
_PASSED_OVER: Final = frozenset(
    {
        "export",
        "left",
        "workspace_member",
        "invitation",
        "channel_created",
        "message_version",
        "poll",
        "vote",
        "saved",
        "block",
        "presence",
        "mention",
        "thread",
        "upload",
    }
)
# What an author's own export holds of these, an import would send past the moderators.
_NEVER_SENT: Final = ("held", "rejected")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line was not taken: where, a stable code, a sentence, and what would help."""

    line: int
    path: str
    code: str
    message: str
    hint: str | None = None

    def shown(self) -> dict[str, str | int | None]:
        """The same for the import's owner."""
        return {
            "line": self.line,
            "path": self.path,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Numbered:
    """A line that can be read, and where it stood."""

    number: int
    line: ImportLine


@dataclass(slots=True)
class Read:
    """What a piece of the file holds."""

    lines: list[Numbered] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    passed_over: int = 0
    # Where the next piece begins, in bytes, and its first line's number.
    offset: int = 0
    number: int = 1


def read_piece(piece: bytes, *, offset: int, number: int, is_last: bool, most_lines: int) -> Read:
    """The whole lines at the beginning of a piece; what is left belongs to the next one."""
    read = Read(offset=offset, number=number)
    start, taken = 0, 0
    while start < len(piece) and taken < most_lines:
        end = piece.find(b"\n", start)
        if end < 0:
            if not is_last and len(piece) - start <= LONGEST_LINE:
                break
            end = len(piece)
        _take(read, piece[start:end])
        start, taken = min(end + 1, len(piece)), taken + 1
        read.number += 1
    read.offset = offset + start
    return read


def _take(read: Read, text: bytes) -> None:
    if not text.strip():
        return
    if len(text) > LONGEST_LINE:
        message = f"a line has at most {LONGEST_LINE} bytes"
        read.problems.append(Problem(read.number, "", "line_too_long", message))
        return
    parsed = _parse(read.number, text)
    if isinstance(parsed, Problem):
        read.problems.append(parsed)
    elif parsed is None:
        read.passed_over += 1
    else:
        read.lines.append(parsed)


def _parse(number: int, text: bytes) -> Numbered | Problem | None:
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        return Problem(number, "", "invalid_json", "is not JSON", "Write one JSON object on each line.")
    kind = given.get("kind") if isinstance(given, dict) else None
    name = kind if isinstance(kind, str) else ""
    if name in _PASSED_OVER or (name == "message" and given.get("status") in _NEVER_SENT):
        return None
    model = _MODELS.get(name)
    if model is None:
        return Problem(
            number, "kind", "unknown_kind", "names no kind of line", f"Known are {', '.join(_MODELS)}."
        )
    try:
        return Numbered(number, model.model_validate(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        return Problem(number, path, str(first["type"]), first["msg"])


def own_id(app_id: AppId, kind: str, foreign: str) -> UUID:
    """Our id of something that another system has a name for: the same each time, and its own if it is a UUID."""
    try:
        return UUID(foreign)
    except ValueError:
        return uuid5(UUID(app_id), f"{kind}:{foreign}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that has no place yet; for a reply, how many its thread has."""

    message_id: UUID
    parent_id: UUID | None
    created_at: datetime
    last_thread_seq: int = 0


@dataclass(slots=True)
class Placed:
    """Numbers for messages of one channel, and what their threads are then: last number, how many more, latest."""

    seqs: dict[UUID, int] = field(default_factory=dict)
    thread_seqs: dict[UUID, int] = field(default_factory=dict)
    threads: dict[UUID, tuple[int, int, datetime]] = field(default_factory=dict)
    last_seq: int = 0


def place(waiting: Sequence[Waiting], last_seq: int) -> Placed:
    """Number messages in their order, behind those that the channel and its threads have."""
    placed = Placed(last_seq=last_seq)
    for one in waiting:
        if one.parent_id is None:
            placed.last_seq += 1
            placed.seqs[one.message_id] = placed.last_seq
            continue
        last, more, _ = placed.threads.get(one.parent_id, (one.last_thread_seq, 0, one.created_at))
        placed.thread_seqs[one.message_id] = last + 1
        placed.threads[one.parent_id] = (last + 1, more + 1, one.created_at)
    return placed
