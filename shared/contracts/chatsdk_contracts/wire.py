"""What every wire model has in common: frozen, camelCase on the wire, snake_case in Python, tolerant when reading.

A field's time is UTC with milliseconds; `data_json` is the one serialisation of a model that HTTP replies, the event
log, the broker and webhook bodies share.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class WireModel(BaseModel):
    """A value as it stands on the wire. Readers ignore fields they do not know; nulls are written, not left out."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


def to_wire_precision(at: datetime) -> datetime:
    """The same instant in UTC, cut to the milliseconds that the wire carries."""
    utc = at.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def to_epoch_ms(at: datetime) -> int:
    """Whole milliseconds since 1970 UTC, rounded down; exact, unlike the way through floating-point seconds."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def from_epoch_ms(epoch_ms: int) -> datetime:
    """The instant in UTC that is this many milliseconds after 1970."""
    return _EPOCH + timedelta(milliseconds=epoch_ms)


def format_time(at: datetime) -> str:
    """RFC 3339 UTC with milliseconds and `Z`, e.g. `2026-01-31T12:00:00.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def data_json(data: BaseModel) -> bytes:
    """Compact JSON of a wire model: camelCase names, nulls kept."""
    return data.__pydantic_serializer__.to_json(data, by_alias=True)


Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(to_wire_precision),
    PlainSerializer(format_time, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

# Free-form JSON object of the caller; limits are checked where it enters.
Custom = dict[str, Any]

# JSON Schema mark of a field added after its schema version was first released: older stored events lack it.
SINCE: Final = "x-since"
