"""Rules for tests: real parts, conditions instead of durations, nothing left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.contract.house_rules.rule import Source, dotted, rule

MOCKS = {"unittest.mock", "mock", "pytest_mock", "asynctest", "responses", "aioresponses", "freezegun"}
LEAVING_OUT = {"pytest.skip", "pytest.xfail", "pytest.importorskip"}
MARKS = {"skip", "skipif", "xfail"}
SLEEPS = {"asyncio.sleep", "time.sleep", "anyio.sleep", "sleep"}


@rule
def tests_use_the_real_parts(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a test that passes because it tests its own mock, while the real part has changed."""
    if not source.is_test:
        return
    for node in source.nodes:
        match node:
            case ast.Import(names=names) if any(name.name in MOCKS for name in names):
                yield node.lineno, "imports a mock"
            case ast.ImportFrom(module=module, names=names) if module is not None:
                if module in MOCKS or any(f"{module}.{name.name}" in MOCKS for name in names):
                    yield node.lineno, "imports a mock"
            case ast.Attribute(value=ast.Name(id="monkeypatch"), attr="setattr" | "setitem" | "delattr"):
                yield node.lineno, "replaces a part; pass another one in"
            case ast.arg(arg="mocker"):
                yield node.lineno, "uses mocks"
            case _:
                pass


@rule
def tests_wait_for_conditions(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents tests that fail on a slow machine and waste time on a fast one."""
    if not source.is_test or source.path == "tests/waiting.py":
        return
    constants = (
        {
            target.id: statement.value.value
            for statement in source.tree.body
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        if source.is_python
        else {}
    )
    for node in source.nodes:
        if isinstance(node, ast.Call) and dotted(node.func) in SLEEPS and node.args:
            slept: object = None
            match node.args[0]:
                case ast.Constant(value=value):
                    slept = value
                case ast.Name(id=name):
                    slept = constants.get(name)
                case _:
                    pass
            if isinstance(slept, int | float) and slept > 0:
                yield node.lineno, f"sleeps {slept} s; wait for a condition (tests/waiting.py)"


@rule
def every_test_runs(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a green run that has not tested anything, for a tool was missing or a bug was known."""
    if not source.is_test:
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute):
            name = dotted(node)
            if name in LEAVING_OUT or (name.startswith("pytest.mark.") and node.attr in MARKS):
                yield node.lineno, f"{name} leaves a test out"
        elif isinstance(node, ast.ImportFrom) and node.module == "pytest":
            for imported in node.names:
                if f"pytest.{imported.name}" in LEAVING_OUT:
                    yield node.lineno, f"{imported.name} leaves a test out"
