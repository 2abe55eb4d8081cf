"""Every silenced warning names which one and why."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.contract.house_rules.rule import Source, rule

CODED = re.compile(r"#\s*(?:noqa:\s*[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*|type:\s*ignore\[[\w\-, ]+\])")
BARE = re.compile(r"#\s*(?:noqa\b|type:\s*ignore\b|ruff:\s*noqa\b|mypy:\s*ignore)", re.IGNORECASE)
REASON = re.compile(r"\w+\W+\w+")


@rule
def suppressions_name_their_warning(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents a comment that was written against one warning from hiding the next one too."""
    for line, comment in source.comments:
        if BARE.search(CODED.sub("", comment)):
            yield line, "a suppression without the code of the warning"


@rule
def suppressions_give_their_reason(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents suppressions that nobody dares to remove; the reason is beside it or in the line above."""
    comments = dict(source.comments)
    lines = source.text.splitlines()
    for line, comment in source.comments:
        if not CODED.search(comment):
            continue
        above = comments.get(line - 1, "") if lines[line - 2].lstrip().startswith("#") else ""
        if not REASON.search(CODED.sub("", comment)) and not REASON.search(above):
            yield line, "a suppression without its reason"
