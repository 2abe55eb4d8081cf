"""Which changes of a schema are additions, told on models as they would be edited."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from chatsdk_contracts.schema_changes import breaking_changes


class Inner(BaseModel):
    label: str


class ChangedInner(BaseModel):
    label: int


OwnerRole = Literal["owner"]
WiderRole = Literal["owner", "guest"]

BEFORE: dict[str, Any] = {
    "text": (str, ...),
    "seq": (int | None, ...),
    "kind": (Literal["a", "b"], ...),
    "role": (OwnerRole | str, ...),
    "counts": (dict[str, int], ...),
    "parts": (list[Inner], ...),
    "short": (str, Field(max_length=5)),
    "optional": (str | None, None),
}


def schema(**fields: Any) -> dict[str, Any]:
    model = create_model("Model", **(BEFORE | fields))
    return model.model_json_schema(mode="validation")


def test_the_same_schema_has_no_changes() -> None:
    assert breaking_changes(schema(), schema()) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"added": (str | None, None)},
        {"added": (list[Inner], Field(default_factory=list))},
        {"role": (WiderRole | str, ...)},
        {"text": (str, Field(description="now described"))},
    ],
)
def test_additions_are_allowed(fields: dict[str, Any]) -> None:
    assert breaking_changes(schema(), schema(**fields)) == []


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"added": (str, ...)}, "event.added: newly required"),
        ({"optional": (str | None, ...)}, "event.optional: newly required"),
        ({"text": (str, "")}, "event.text: no longer required"),
        ({"text": (str | None, ...)}, "event.text: widened, now also null"),
        ({"seq": (int, ...)}, "event.seq: narrowed, no longer null"),
        ({"text": (int, ...)}, "event.text: narrowed, no longer string"),
        ({"seq": (float | None, ...)}, "event.seq: narrowed, no longer integer"),
        ({"kind": (Literal["a"], ...)}, "event.kind: narrowed, no longer 'b'"),
        ({"kind": (Literal["a", "b", "c"], ...)}, "event.kind: widened, now also 'c'"),
        ({"role": (OwnerRole, ...)}, "event.role: narrowed, no longer string"),
        ({"counts": (dict[str, str], ...)}, "event.counts[]: narrowed, no longer integer"),
        ({"parts": (list[ChangedInner], ...)}, "event.parts[].label: narrowed, no longer string"),
        ({"short": (str, Field(max_length=3))}, "event.short: maxLength changed"),
        ({"text": (str, Field(pattern="^x"))}, "event.text: pattern changed"),
    ],
)
def test_everything_else_is_named(fields: dict[str, Any], change: str) -> None:
    assert change in breaking_changes(schema(), schema(**fields))


def test_a_removed_field_is_named() -> None:
    after = schema()
    del after["properties"]["text"]
    after["required"].remove("text")
    assert "event.text: removed" in breaking_changes(schema(), after)
