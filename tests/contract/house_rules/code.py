"""Rules for all code: names, documentation, environment, logs, output, broad handlers, clocks, imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.contract.house_rules.rule import Source, dotted, rule

BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"log", "_log", "logger", "_logger", "LOG"}
EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*")
PURE_FILES = {"rules.py", "matching.py", "outcome.py", "projections.py", "engine.py", "protocol.py"}
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now"}
AT_IMPORT = {
    "open",
    "asyncio.run",
    "asyncio.create_task",
    "subprocess.run",
    "subprocess.Popen",
    "socket.socket",
    "asyncpg.connect",
    "asyncpg.create_pool",
    "psycopg.connect",
    "sqlite3.connect",
    "threading.Thread",
    "aiohttp.ClientSession",
    "sqlalchemy.create_engine",
}
READS_AT_IMPORT = {"read_text", "read_bytes", "write_text", "mkdir"}


@rule
def names_say_what_a_file_does(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents the drawer into which everything goes: nobody finds code in utils, so it is written again."""
    if source.is_python:
        parts = source.path.removesuffix(".py").split("/")
        for part in parts:
            if part.strip("_") in BANNED_NAMES:
                yield 1, f"`{part}` says what kind of thing it is, not what it does"


@rule
def every_module_has_a_docstring(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a reader from having to read a whole file to learn that it is the wrong one."""
    if source.is_python and source.text.strip() and ast.get_docstring(source.tree) is None:
        yield 1, "no module docstring"


@rule
def public_names_have_docstrings(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents callers from guessing a meaning, a unit or an error, and from being wrong about it in production."""
    if not source.is_product or "/migrations/" in source.path:
        return
    for node in source.tree.body if source.is_python else []:
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
        ):
            yield node.lineno, f"{node.name} is public and does not say what it means"


@rule
def the_environment_is_read_in_settings(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a setting that no documentation names, no check at start sees, and no test can give."""
    if source.is_test or source.name == "settings.py" or source.path.startswith("deploy/local/"):
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and dotted(node) in {"os.environ", "os.getenv", "os.environb"}:
            yield node.lineno, "the environment is read outside settings.py"
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            for name in node.names:
                if name.name in {"environ", "getenv", "environb"}:
                    yield node.lineno, f"`{name.name}` is imported outside settings.py"


@rule
def log_events_have_constant_names(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents log lines that can be neither searched nor counted, since each has another name."""
    for node in source.nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in LOG_METHODS or dotted(node.func.value).split(".")[-1] not in LOGGERS:
            continue
        match node.args:
            case [ast.Constant(value=str(name)), *_] if EVENT_NAME.fullmatch(name):
                continue
            case [ast.Name(id=name), *_] if name.lstrip("_").isupper():
                continue
        yield node.lineno, "a log event is named by a constant in snake_case; values are keyword arguments"


@rule
def only_commands_print(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents output that no log level silences and that breaks the JSON lines of a service."""
    allowed = source.name in {"__main__.py", "cli.py"} or "/cli/" in source.path
    if allowed or source.path.startswith(("deploy/", "tests/bench/")):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and dotted(node.func) == "print":
            yield node.lineno, "print belongs to commands; services log"


@rule
def errors_are_caught_by_name(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a handler that swallows our own mistakes: lost updates that leave no trace but a log line."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and not _raises_again(node):
            named = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            for kind in named:
                if kind is None or dotted(kind) in {"Exception", "BaseException"}:
                    yield node.lineno, "catches everything"


@rule
def decisions_get_the_time_passed_in(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents rules that can't be tested by table, and two clock readings within one decision."""
    if not (source.is_product and source.name in PURE_FILES):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and dotted(node.func) in CLOCKS:
            yield node.lineno, "a rule takes `now` as a parameter"


@rule
def nothing_happens_at_import(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents an import that needs a network, a file or a loop, and so a test that can't even load a module."""
    if not source.is_product or not source.is_python or source.name == "env.py":
        return
    for node in _at_import(source.tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name in AT_IMPORT or name.rsplit(".", 1)[-1] in READS_AT_IMPORT:
                yield node.lineno, f"{name}() runs at import"


@rule
def work_is_done_or_not_begun(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a promise in a comment that nobody tracks; what is left to do is no part of the code."""
    for line, comment in source.comments:
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", comment):
            yield line, "a note of work left to do"
    for node in source.nodes:
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if dotted(raised) == "NotImplementedError":
                yield node.lineno, "a stub"


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that runs when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for evaluated in (*child.decorator_list, *child.args.defaults):
                yield from ast.walk(evaluated)
        elif not isinstance(child, ast.Lambda) and not _is_main_guard(child):
            yield child
            yield from _at_import(child)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether the handler ends in a bare `raise`: it tidies up, it swallows nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
