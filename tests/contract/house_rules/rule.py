"""What a rule is, what it reads, and what it reports."""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[3]
PACKAGE_ROOTS = ("services/", "shared/")


@dataclass(frozen=True)
class Source:
    """One text file, by its path from the root of the repository."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """The file's name with its suffix."""
        return PurePosixPath(self.path).name

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/")

    @property
    def is_product(self) -> bool:
        """Whether it is part of a package that we ship."""
        return self.path.startswith(PACKAGE_ROOTS)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the syntax tree; none for a file that is not Python."""
        return list(ast.walk(self.tree)) if self.is_python else []

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        """The comments with their lines; none for a file that is not Python."""
        if not self.is_python:
            return []
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]

    @cached_property
    def docstrings(self) -> set[int]:
        """The identities of the string nodes that are docstrings or stand alone as documentation."""
        return {
            id(node.value)
            for node in self.nodes
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }


Rule: TypeAlias = Callable[[Source], Iterator[tuple[int, str]]]
"""Yields the line and what is wrong there."""

RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """Add a rule to the list of all."""
    RULES.append(function)
    return function


@dataclass(frozen=True)
class Finding:
    """One violation; printed as path:line, so that an editor can jump there."""

    rule: str
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}  [{self.rule}]"


def findings(the_rule: Rule, sources: list[Source]) -> list[Finding]:
    """All that the rule finds, exceptions included."""
    name = the_rule.__name__
    return [Finding(name, source.path, *found) for source in sources for found in the_rule(source)]


def repository_files() -> list[Source]:
    """The files that are committed or staged; binary files are left out."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    sources = []
    for path in sorted(set(filter(None, listed.stdout.split("\0")))):
        file = ROOT / path
        if not file.is_file():
            continue
        content = file.read_bytes()
        if b"\0" not in content[:4096]:
            sources.append(Source(path, content.decode("utf-8", "replace")))
    return sources


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an attribute chain or name; a part that is neither is `?`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case _:
            return "?"
