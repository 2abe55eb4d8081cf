"""Examples fit their schemas, whatever these are."""

from typing import Any

import jsonschema_rs
import pytest

from chatsdk_runtime.openapi_examples import ExampleMaker

SCHEMAS: dict[str, Any] = {
    "Tree": {
        "type": "object",
        "required": ["children"],
        "properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    },
    "Colour": {"type": "string", "enum": ["red", "blue"]},
}
MAKER = ExampleMaker(SCHEMAS, {"userId": "ann", "size": 7, "colour": "blue"})


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "textxx"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "format": "date-time"}, "2026-01-02T03:04:05.678Z"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 60}, 60),
        ({"type": "integer", "maximum": 0}, 0),
        ({"type": "number", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "default": 5}, 5),
        ({"type": "boolean"}, False),
        ({"const": "x"}, "x"),
        ({"$ref": "#/components/schemas/Colour"}, "red"),
        ({"allOf": [{"$ref": "#/components/schemas/Colour"}]}, "red"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {}),
        ({}, None),
    ],
)
def test_a_value_for_each_kind_of_schema(schema: dict[str, Any], example: Any) -> None:
    assert MAKER.reply(schema) == example
    whole = {**schema, "components": {"schemas": SCHEMAS}}
    assert jsonschema_rs.is_valid(whole, example)


def test_known_names_are_used_where_they_fit() -> None:
    properties = {
        "userId": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "size": {"type": "integer", "maximum": 3},
        "colour": {"$ref": "#/components/schemas/Colour"},
    }
    assert MAKER.reply({"type": "object", "properties": properties}) == {
        "userId": "ann",
        "size": 1,
        "colour": "blue",
    }


def test_a_request_holds_what_is_required_and_a_reply_everything() -> None:
    schema = {
        "type": "object",
        "required": ["userId"],
        "properties": {"userId": {"type": "string"}, "size": {"type": "integer"}},
    }
    assert MAKER.request(schema) == {"userId": "ann"}
    assert MAKER.reply(schema) == {"userId": "ann", "size": 7}


def test_a_schema_that_contains_itself_has_an_end() -> None:
    example = MAKER.reply({"$ref": "#/components/schemas/Tree"})
    assert example == {"children": [{"children": []}]}
