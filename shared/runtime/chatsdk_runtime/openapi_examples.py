"""Examples made from JSON Schemas: valid by construction, the same every time, and readable by names that are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

_TIME: Final = "2026-01-02T03:04:05.678Z"
_ID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"
_BY_FORMAT: Final[Mapping[str, str]] = {
    "date-time": _TIME,
    "uuid": _ID,
    "uri": "https://example.com/",
    "binary": "",
}
_DEEPEST: Final = 3


class ExampleMaker:
    """Makes values for schemas that may refer to `schemas`. `by_name`: what stands in a field of that name."""

    def __init__(self, schemas: Mapping[str, Json], by_name: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._by_name = by_name

    def request(self, schema: Json) -> Any:
        """A body with what is required."""
        return self._value(schema, "", 0, whole=False)

    def reply(self, schema: Json) -> Any:
        """An answer with all its fields."""
        return self._value(schema, "", 0, whole=True)

    def _value(self, schema: Json, name: str, depth: int, *, whole: bool) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        known = self._by_name.get(name)
        if known is not None and _fits(known, schema):
            return known
        if "enum" in schema:
            return schema["enum"][0]
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self._value(_chosen(schema[union]), name, depth, whole=whole)
        match schema.get("type"):
            case "object":
                return self._object(schema, depth, whole=whole)
            case "array":
                return self._array(schema, name, depth, whole=whole)
            case _:
                return _scalar(schema)

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema or len(schema.get("allOf", ())) == 1:
            if "$ref" in schema:
                schema = self._schemas[schema["$ref"].rsplit("/", 1)[1]]
            else:
                schema = schema["allOf"][0]
        return schema

    def _object(self, schema: Json, depth: int, *, whole: bool) -> Json:
        required = set(schema.get("required", ()))
        made = {}
        for name, part in schema.get("properties", {}).items():
            if name in required or whole:
                made[name] = self._value(part, name, depth + 1, whole=whole)
        return made

    def _array(self, schema: Json, name: str, depth: int, *, whole: bool) -> list[Any]:
        least = schema.get("minItems", 0)
        if (depth >= _DEEPEST and not least) or "items" not in schema:
            return []
        one = self._value(schema["items"], name.removesuffix("s"), depth + 1, whole=whole)
        return [one] * max(1, least)


def _chosen(alternatives: list[Json]) -> Json:
    """Nothing where that is allowed, being the usual case; else the first."""
    return next((one for one in alternatives if one.get("type") == "null"), alternatives[0])


def _fits(value: Any, schema: Json) -> bool:
    """Whether a known value may stand here; of unions, whether in any part."""
    if "anyOf" in schema:
        return any(_fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds: Mapping[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    kind = kinds.get(schema.get("type", ""))
    if kind is None or not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return False
    if isinstance(value, str):
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _scalar(schema: Json) -> Any:
    match schema.get("type"):
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return schema.get("default", False)
        case _:
            return None


def _text(schema: Json) -> str:
    text = _BY_FORMAT.get(schema.get("format", ""))
    if text is None:
        text = str(schema.get("default") or "text")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", len(text) + 256)]


def _number(schema: Json) -> int | float:
    default, above = schema.get("default"), schema.get("exclusiveMinimum")
    if isinstance(default, int | float):
        return default
    if isinstance(above, int | float):
        return above + 1
    least, most = schema.get("minimum", 0), schema.get("maximum", 1)
    return int(max(least, min(1, most)))
