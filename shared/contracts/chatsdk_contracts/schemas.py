"""JSON Schema of every event type, kept in `schemas/events/<type>.v<version>.json` for other languages and for review.

`python -m chatsdk_contracts.schemas --check` fails on drift, `--write` brings the files up to date but refuses a change
that would break a reader of the same schema version or this release reading an event stored earlier.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chatsdk_contracts.catalogue import EVENTS
from chatsdk_contracts.envelope import Event, dataschema_of, event_type
from chatsdk_contracts.schema_changes import breaking_changes
from chatsdk_contracts.wire import SINCE

Schema = dict[str, Any]

SCHEMA_DIR: Final = Path(__file__).parent.parent / "schemas" / "events"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_OPTIONAL: Final = ("channelid", "actorid", "sequence", "traceparent")
_ORDER: Final = (
    "specversion", "id", "type", "source", "subject", "time", "datacontenttype", "dataschema",
    "appid", "channelid", "actorid", "sequence", "epoch", "traceparent", "data",
)  # fmt: skip


def event_schema(event_cls: type[Event]) -> Schema:
    """JSON Schema of what is written: every field of `data` present, optional envelope attributes present or not."""
    generated = event_cls.model_json_schema(mode="serialization", by_alias=True)
    properties = generated["properties"]
    properties["source"] = {"type": "string", "pattern": "^/apps/."}
    properties["dataschema"] = {"type": "string", "const": dataschema_of(event_cls)}
    for name in _OPTIONAL:
        properties[name] = _without_null(properties[name])
    definitions = generated["$defs"]
    models = [definition for definition in definitions.values() if "properties" in definition]
    for model in models:
        model["required"] = _always_written(model["properties"])
    for described in (generated, *models):
        for field in described["properties"].values():
            field.pop("title", None)  # the name in other letters
            field.pop("default", None)  # says what a constructor fills in, and every field is written
    return {
        "$schema": _DIALECT,
        "$id": dataschema_of(event_cls),
        "title": event_type(event_cls),
        "description": generated["description"],
        "type": "object",
        "properties": {name: properties[name] for name in _ORDER},
        "required": [name for name in _ORDER if name not in _OPTIONAL],
        "$defs": definitions,
    }


def golden_name(event_cls: type[Event]) -> str:
    """File name of an event's schema."""
    return f"{event_type(event_cls)}.v{event_cls.schema_version}.json"


def render(schema: Schema) -> str:
    """The text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def drift(directory: Path = SCHEMA_DIR) -> list[str]:
    """What differs between the files and the classes, one line each."""
    expected = {golden_name(cls): render(event_schema(cls)) for cls in EVENTS.values()}
    present = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    missing = sorted(expected.keys() - present.keys())
    changed = sorted(name for name in expected.keys() & present.keys() if expected[name] != present[name])
    return [f"{name}: missing" for name in missing] + [f"{name}: differs from its class" for name in changed]


def breaks(directory: Path = SCHEMA_DIR) -> list[str]:
    """Changes of the classes against the files that are more than an addition, one line each."""
    found: list[str] = []
    for cls in EVENTS.values():
        golden = directory / golden_name(cls)
        if golden.exists():
            old = json.loads(golden.read_text(encoding="utf-8"))
            found += [f"{golden.name}: {change}" for change in breaking_changes(old, event_schema(cls))]
    # A schema that no class writes any more may still be asked for; a type that vanished is a break.
    types = {path.name.rsplit(".v", 1)[0] for path in directory.glob("*.json")}
    return found + [f"{name}: type removed" for name in sorted(types - EVENTS.keys())]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if the files are right (or were written), 1 with the reasons on stderr."""
    parser = argparse.ArgumentParser(prog="python -m chatsdk_contracts.schemas", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", action="store_true", help="fail if a file differs from its class")
    mode.add_argument("--write", action="store_true", help="write the files; refuses a breaking change")
    parser.add_argument("--directory", type=Path, default=SCHEMA_DIR)
    options = parser.parse_args(arguments)
    directory: Path = options.directory
    problems = breaks(directory) + (drift(directory) if options.check else [])
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        return 1
    if options.write:
        directory.mkdir(parents=True, exist_ok=True)
        for cls in EVENTS.values():
            (directory / golden_name(cls)).write_text(render(event_schema(cls)), encoding="utf-8")
    return 0


def _without_null(attribute: Schema) -> Schema:
    return next(option for option in attribute["anyOf"] if option != {"type": "null"})


def _always_written(properties: Schema) -> list[str]:
    # A field marked SINCE is absent from events stored before it existed.
    return [name for name, field in properties.items() if SINCE not in field]


if __name__ == "__main__":
    sys.exit(main())
