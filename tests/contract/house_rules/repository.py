"""Rules for all committed files: nothing of one machine, nothing of one package index."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.contract.house_rules.rule import Source, rule

REGISTRY = re.compile(
    r"\bpypi\.org|\bpythonhosted\.|\bregistry\.npmjs|\bproxy\.golang|\brepo1?\.maven|\bcrates\.io"
    r"|\b(?:deb|security)\.debian\.org|--(?:extra-)?index-url|\bindex-url\s*="
)
MACHINE = re.compile(r"(?<![\w.~-])/(?:work|root)/\w")


@rule
def no_package_index_is_named(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents an installation that ignores the operator's own index, and fails where only that is reachable."""
    if source.name == "uv.lock":
        yield 1, "carries the addresses of an index; requirements.lock is the lock"
    yield from _matches(source, REGISTRY, "names a package index")


@rule
def no_path_of_one_machine(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents files that work in one clone only."""
    yield from _matches(source, MACHINE, "names a path of one machine")


def _matches(source: Source, pattern: re.Pattern[str], what: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if pattern.search(line):
            yield number, what
