"""Is a change of an event's JSON Schema only an addition? Pure; used by `schemas` before it overwrites a golden file.

An addition is a new field that need not be there, or a new known value beside an open string. All else breaks either
a reader built on the old schema or this release reading an event stored under it.
"""

from typing import Any, Final

Schema = dict[str, Any]

_CONSTRAINTS: Final = (
    "pattern", "format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
)  # fmt: skip


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Every change from `old` to `new` that is more than an addition, as `path: what`."""
    return _compare(_options(old, old), _options(new, new), "event", (old, new))


def _compare(
    old: dict[str, Schema], new: dict[str, Schema], path: str, roots: tuple[Schema, Schema]
) -> list[str]:
    found = [f"{path}: narrowed, no longer {kind}" for kind in old if kind not in new]
    found += [f"{path}: widened, now also {kind}" for kind in new if kind not in old]
    for kind in old.keys() & new.keys():
        found += _compare_kind(old[kind], new[kind], path, roots)
    if "string" not in old:
        found += _compare_values(old.get("enum", {}), new.get("enum", {}), path)
    return found


def _compare_kind(old: Schema, new: Schema, path: str, roots: tuple[Schema, Schema]) -> list[str]:
    found = [f"{path}: {name} changed" for name in _CONSTRAINTS if old.get(name) != new.get(name)]
    found += _compare_fields(old, new, path, roots)
    for inner in ("items", "additionalProperties"):
        before, after = old.get(inner), new.get(inner)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _compare(_options(before, roots[0]), _options(after, roots[1]), f"{path}[]", roots)
        elif before != after:
            found.append(f"{path}: {inner} changed")
    return found


def _compare_fields(old: Schema, new: Schema, path: str, roots: tuple[Schema, Schema]) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    found = [f"{path}.{name}: removed" for name in before if name not in after]
    found += [f"{path}.{name}: newly required" for name in sorted(required_after - required_before)]
    found += [f"{path}.{name}: no longer required" for name in sorted(required_before - required_after)]
    for name in before.keys() & after.keys():
        found += _compare(
            _options(before[name], roots[0]), _options(after[name], roots[1]), f"{path}.{name}", roots
        )
    return found


def _compare_values(old: Schema, new: Schema, path: str) -> list[str]:
    before, after = set(old.get("enum", ())), set(new.get("enum", ()))
    found = [f"{path}: narrowed, no longer {value!r}" for value in sorted(before - after)]
    return found + [f"{path}: widened, now also {value!r}" for value in sorted(after - before)]


def _options(schema: Schema, root: Schema) -> dict[str, Schema]:
    """The alternatives of a schema by kind: a JSON type, or `enum` for a closed set of values."""
    found: dict[str, Schema] = {}
    for option in schema.get("anyOf", [schema]):
        plain = _resolve(option, root)
        if "anyOf" in plain:
            found |= _options(plain, root)
        elif "const" in plain:
            found["enum"] = {"enum": [plain["const"]]}
        elif "enum" in plain:
            found["enum"] = {"enum": plain["enum"]}
        else:
            found[plain.get("type", "any")] = plain
    if "string" in found:
        found.pop("enum", None)  # known values beside an open string are documentation
    return found


def _resolve(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema
