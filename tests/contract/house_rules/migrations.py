"""Schema changes that the running code survives: expand first, contract in a later release."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.contract.house_rules.rule import Source, rule

CONTRACTS = {
    "drops something": re.compile(r"\bdrop\s+(table|column|view|type|schema|sequence|function)\b"),
    "renames something": re.compile(r"\brename\s+(to|column|constraint)\b|\brename\s+\w+\s+to\b"),
    "changes a type": re.compile(r"\balter\s+(column\s+)?\w+\s+(set\s+data\s+)?type\b"),
    "forbids null": re.compile(r"\bset\s+not\s+null\b"),
    "empties a table": re.compile(r"\btruncate\b"),
    "adds a column that old code does not fill": re.compile(
        r"\badd\s+(column\s+)?(if\s+not\s+exists\s+)?\w+\s+(?!constraint\b)(?:(?!\bdefault\b|,\s*add\b|;).)*\bnot\s+null\b"
        r"(?:(?!\bdefault\b|,\s*add\b).)*$",
        re.DOTALL,
    ),
}
OPERATIONS = {"drop_table", "drop_column", "rename_table", "alter_column"}


@rule
def migrations_only_expand(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents an upgrade that breaks the replicas that still run the release before."""
    if "/migrations/versions/" not in source.path or "_contract_" in source.name:
        return
    if source.path.endswith(".sql"):
        yield from _of_sql(source.text, 1)
    for node in source.nodes:
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in source.docstrings
        ):
            yield from _of_sql(node.value, node.lineno)
        elif isinstance(node, ast.Attribute) and node.attr in OPERATIONS:
            yield node.lineno, f"{node.attr} belongs to a migration named _contract_"


@rule
def revisions_rise(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a service that waits for ever: the newest revision is found by the files' names."""
    if "/migrations/versions/" not in source.path or not source.path.endswith(".py"):
        return
    here = source.name.split("_", 1)[0]
    for node in source.nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        target, value = node.targets[0], node.value.value
        if not isinstance(target, ast.Name) or not isinstance(value, str):
            continue
        if target.id == "revision" and value != here:
            yield node.lineno, f"the revision is {value} and its file {here}"
        if target.id == "down_revision" and value >= here:
            yield node.lineno, f"stands behind {value} and has to have a greater number"


def _of_sql(text: str, first_line: int) -> Iterator[tuple[int, str]]:
    bare = re.sub(r"--[^\n]*|'(?:[^']|'')*'", lambda found: re.sub(r"[^\n]", " ", found[0]), text.lower())
    at = 0
    for statement in bare.split(";"):
        for what, pattern in CONTRACTS.items():
            if found := pattern.search(statement):
                line = first_line + bare.count("\n", 0, at + found.start())
                yield line, f"{what}: a migration named _contract_, one release later"
        at += len(statement) + 1
