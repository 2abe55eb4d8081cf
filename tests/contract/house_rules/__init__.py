"""House rules that no tool knows, as functions over the repository's files.

A rule takes one file and yields what is wrong in it. Its docstring names the bug that it prevents. Which files a
rule looks at is part of the rule; who may break it, and why, is in `exceptions`.
"""

from tests.contract.house_rules.rule import RULES, Finding, Rule, Source, findings, repository_files

# Each module adds its rules to RULES.
from tests.contract.house_rules import code, migrations, repository, sizes, sql, suppressions, testing  # isort: skip

__all__ = [
    "RULES",
    "Finding",
    "Rule",
    "Source",
    "code",
    "findings",
    "migrations",
    "repository",
    "repository_files",
    "sizes",
    "sql",
    "suppressions",
    "testing",
]
