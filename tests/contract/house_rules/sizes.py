"""How long a module and a function may get, and how many parameters a function may take."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.contract.house_rules.rule import Source, rule

MODULE_LINES = 400
SOFT_MODULE_LINES = 250
BODY_LINES = 50
PARAMETERS = 7


@rule
def modules_are_short(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents the file that everybody edits at once and nobody has read whole."""
    if source.is_python and (lines := len(source.text.splitlines())) > MODULE_LINES:
        yield MODULE_LINES, f"{lines} lines; at most {MODULE_LINES}: part it by idea"


def modules_over_the_soft_limit(sources: list[Source]) -> list[str]:
    """The packages' modules that should be parted by idea before they grow on; none of them fails."""
    lengths = {source.path: len(source.text.splitlines()) for source in sources if source.is_product}
    return [
        f"{path} ({lines})"
        for path, lines in lengths.items()
        if path.endswith(".py") and lines > SOFT_MODULE_LINES
    ]


@rule
def functions_are_short(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents functions whose beginning has left the reader's mind when the end comes: there the bugs sit."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            if body and (lines := (body[-1].end_lineno or 0) - body[0].lineno + 1) > BODY_LINES:
                yield node.lineno, f"{node.name} has {lines} lines of body; at most {BODY_LINES}"


@rule
def functions_take_few_parameters(source: Source) -> Iterator[tuple[int, str]]:
    """Prevents calls in which two arguments of one type are swapped; what belongs together is one value."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            given += [rest for rest in (node.args.vararg, node.args.kwarg) if rest]
            if given and given[0].arg in {"self", "cls"}:
                given = given[1:]
            if len(given) > PARAMETERS:
                yield node.lineno, f"{node.name} takes {len(given)} parameters; at most {PARAMETERS}"
