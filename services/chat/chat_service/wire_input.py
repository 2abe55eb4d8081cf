"""What may come in: the pydantic types of request bodies, and ids out of paths.

PostgreSQL takes neither NUL nor a lone surrogate, and an `orjson` answer neither a surrogate nor an integer
of more than 64 bits: all of that is refused here, at the field, and nowhere else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NoReturn
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, to_json

from chatsdk_contracts.ids import ChannelId, MessageId, UserId, WorkspaceId

CUSTOM_BYTES: Final = 4_096
# Characters of a message in the most generous channel; each channel sets its own limit below it.
LONGEST_TEXT: Final = 20_000
_CUSTOM_DEPTH: Final = 16
_INT64: Final = 1 << 63
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
# They stand for something else in a path.
_RESERVED_USER_IDS = frozenset({"me", ".", ".."})
_LONGEST_USER_ID: Final = 255
_UUID_LENGTH: Final = 36


class RequestModel(BaseModel):
    """A request body: camelCase names and no others."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True
    )

    # The type checker's plugin would rather take snake_case names too, and reports it here.
    @model_validator(mode="before")  # type: ignore[pydantic-alias]
    @classmethod
    def _names_are_text(cls, given: Any) -> Any:
        # An unknown name is repeated in the error, which has to be JSON.
        if isinstance(given, dict) and any(_UNSTORABLE.search(str(name)) for name in given):
            _refuse("invalid_text", "a field's name has a character that cannot be stored")
        return given


def _refuse(code: str, message: str) -> NoReturn:
    # The message holds no placeholders; a brace in it would be taken for one.
    raise PydanticCustomError(code, "{message}", {"message": message})


def is_storable(value: str) -> bool:
    """Whether a text can be stored and told: it has neither NUL nor a lone surrogate."""
    return _UNSTORABLE.search(value) is None


def check_text(value: str) -> str:
    """Refuse what cannot be stored or told."""
    if not is_storable(value):
        _refuse("invalid_text", "must not contain NUL or a lone surrogate")
    return value


def check_line(value: str) -> str:
    """The same for text of one line: no control characters either."""
    if _CONTROL.search(value):
        _refuse("invalid_text", "must not contain control characters")
    return check_text(value)


def _check_user_id(value: UserId) -> UserId:
    if value in _RESERVED_USER_IDS:
        _refuse("reserved", f"{value!r} is not a user id; it stands for something else in a path")
    return UserId(check_line(value))


def _check_reference(value: str) -> str:
    canonical = uuid_in_path(value)
    if canonical is None:
        _refuse("invalid_id", "is not an id (a UUID)")
    return canonical


def _check_time(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # Within a day of the calendar's ends an offset leads out of it.
        _refuse("invalid_time", "is no time between the years 1 and 9999 in UTC")


def custom_checker(longest_bytes: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A check of a free-form object: its size as compact JSON, its depth, and every value in it."""

    def check(value: dict[str, Any]) -> dict[str, Any]:
        _check_json(value, "", 0)
        size = len(to_json(value))
        if size > longest_bytes:
            _refuse("too_large", f"has {size} bytes as JSON; at most {longest_bytes} are taken")
        return value

    return check


def _check_json(value: Any, path: str, depth: int) -> None:
    if depth > _CUSTOM_DEPTH:
        _refuse("too_deep", f"is nested more than {_CUSTOM_DEPTH} levels deep")
    if isinstance(value, dict):
        for name, item in value.items():
            _check_scalar(name, f"in a name at {path}" if path else "in a name")
            _check_json(item, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_json(item, f"{path}[{index}]", depth + 1)
    else:
        _check_scalar(value, f"at {path}")


def _check_scalar(value: Any, where: str) -> None:
    if isinstance(value, str) and _UNSTORABLE.search(value):
        _refuse("invalid_text", f"{where}: must not contain NUL or a lone surrogate")
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        _refuse("invalid_number", f"{where}: an integer must fit into 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        _refuse("invalid_number", f"{where}: must be a finite number")


SafeText = Annotated[str, AfterValidator(check_text)]
"""Any text that can be stored; a field with a length puts it before the check, as those below do."""

Line = Annotated[str, AfterValidator(check_line)]
"""The same without control characters."""

Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(check_line)]
Description = Annotated[str, Field(max_length=1_000), AfterValidator(check_text)]
ImageUrl = Annotated[str, Field(min_length=1, max_length=2_048), AfterValidator(check_line)]
Email = Annotated[
    str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$"), AfterValidator(check_line)
]
InputUserId = Annotated[
    UserId, Field(min_length=1, max_length=_LONGEST_USER_ID), AfterValidator(_check_user_id)
]
# Its time chooses nothing; only that two clients never make the same one.
ClientMadeId = Annotated[
    MessageId,
    Field(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        max_length=_UUID_LENGTH,
    ),
]
"""A UUIDv7 that the client made, in canonical text."""

HybridTime = Annotated[str, Field(pattern=r"^[0-9]{13}:[0-9a-f]{4}:[A-Za-z0-9._-]{1,64}$", max_length=83)]
"""A hybrid logical clock: milliseconds since 1970, a counter of four hex digits, and who keeps the clock."""

InputTime = Annotated[AwareDatetime, AfterValidator(_check_time)]
"""A time with a zone, in UTC from here on."""

CustomObject = Annotated[dict[str, Any], AfterValidator(custom_checker(CUSTOM_BYTES))]
Reference = Annotated[str, Field(max_length=64), AfterValidator(_check_reference)]
"""An id of ours, in its canonical form."""


def user_id_in_path(text: str) -> UserId | None:
    """A user id out of a path or query; None when no user can have it."""
    usable = 0 < len(text) <= _LONGEST_USER_ID and not _CONTROL.search(text) and not _UNSTORABLE.search(text)
    return UserId(text) if usable else None


def channel_id_in_path(text: str) -> ChannelId | None:
    """A channel id out of a path in its canonical form; None when it is none."""
    canonical = uuid_in_path(text)
    return None if canonical is None else ChannelId(canonical)


def workspace_id_in_path(text: str) -> WorkspaceId | None:
    """A workspace id out of a path or query in its canonical form; None when it is none."""
    canonical = uuid_in_path(text)
    return None if canonical is None else WorkspaceId(canonical)


def uuid_in_path(text: str) -> str | None:
    """Any of our ids out of a path in its canonical form; None when it is none."""
    if len(text) != _UUID_LENGTH:
        return None
    try:
        return str(UUID(text))
    except ValueError:
        return None
