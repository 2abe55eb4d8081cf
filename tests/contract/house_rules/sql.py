"""Where SQL may stand, and how it gets its values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.contract.house_rules.rule import Source, rule

STATEMENT = re.compile(
    r"""\s*(
        select\s | insert\s+into\s | delete\s+from\s | update\s+[\w.{}]+\s+(as\s+\w+\s+|\w+\s+)?set\s
        | with\s+(recursive\s+)?\w+(\s*\([^)]*\))?\s+as\s | truncate\s+\w | lock\s+table\s
        | (create|alter|drop)\s+(unlogged\s+|unique\s+|or\s+replace\s+)*
          (table|index|schema|view|function|trigger|type|extension|sequence|role|user|database|publication)\s
    )""",
    re.VERBOSE,
)
"""Lower case, as the house writes it, or upper case; a sentence begins with one capital."""

RUNTIME_FILES = {
    f"shared/runtime/chatsdk_runtime/{name}.py"
    for name in ("health", "idempotency", "migrations", "partitions", "postgres", "reconcile")
}
PROVISIONING = {"deploy/local/databases.py", "deploy/local/postgres.py"}
"""They create databases and roles, before any service is there."""


@rule
def sql_stands_in_stores(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a statement that the review of a schema change does not find, and so breaks in production."""
    named_for_it = source.name == "store.py" or source.name.endswith("_store.py")
    if named_for_it or source.is_test or "/migrations/" in source.path:
        return
    if source.path in RUNTIME_FILES | PROVISIONING:
        return
    for node, text in _strings(source):
        if _is_statement(text):
            yield node.lineno, f"SQL outside a store: {' '.join(text.split())[:50]}"


@rule
def statements_get_values_as_parameters(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents SQL injection: a value that is written into a statement is read as part of it."""
    if not source.is_product or "/migrations/" in source.path:
        return
    for node in source.nodes:
        match node:
            case ast.JoinedStr(values=parts) if _is_statement(_text_of(node)):
                for part in parts:
                    if isinstance(part, ast.FormattedValue) and not _is_constant(part.value):
                        yield node.lineno, f"{{{ast.unparse(part.value)}}} is written into a statement"
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod() | ast.Add(), right=right):
                if _is_statement(text) and not _is_constant(right):
                    yield node.lineno, "a statement is put together from parts"
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
                if _is_statement(text):
                    yield node.lineno, "a statement is put together by format()"
            case _:
                pass


def _strings(source: Source) -> Iterator[tuple[ast.expr, str]]:
    formatted = [node for node in source.nodes if isinstance(node, ast.JoinedStr)]
    passed_over = source.docstrings | {id(part) for node in formatted for part in node.values}
    for whole in formatted:
        yield whole, _text_of(whole)
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            yield node, node.value


def _text_of(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{x}" for part in node.values)


def _is_statement(text: str) -> bool:
    first = text.split(maxsplit=1)[:1]
    return bool(first) and (first[0].islower() or first[0].isupper()) and bool(STATEMENT.match(text.lower()))


def _is_constant(node: ast.expr) -> bool:
    """Whether the part is a constant of the module: fixed text, put in once."""
    return (isinstance(node, ast.Name) and node.id.isupper()) or isinstance(node, ast.Constant)
