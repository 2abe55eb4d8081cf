"""What is said passes the gate: nothing else makes what the writer, the edit, the poll and the operation take.

The type checker refuses a road that brings anything but a `ScreenedSend` or a `ScreenedText`; this test refuses the
road that makes one for itself. That each road that there is leads through the gate is shown by
tests/integration/chat_service/test_screening.py.
"""

from __future__ import annotations

import ast

from tests.contract.house_rules import Source, repository_files

SCREENED = {"ScreenedSend", "ScreenedText", "ScreenedOutcome"}
GATE = "services/chat/chat_service/screening/gate.py"


def _makes(source: Source) -> list[int]:
    """The lines on which a module makes something screened, or says to the type checker that it is."""
    found = []
    for node in source.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        called = node.func.id
        is_cast = called == "cast" and bool(SCREENED & set(_names(node.args[0])))
        if called in SCREENED or is_cast:
            found.append(node.lineno)
    return found


def _names(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    return [one.id for one in ast.walk(node) if isinstance(one, ast.Name)]


def test_only_the_gate_lets_through() -> None:
    product = [source for source in repository_files() if source.is_product and source.is_python]

    makers = {source.path for source in product if _makes(source)}

    assert makers == {GATE}


def test_a_road_around_the_gate_is_seen() -> None:
    planted = 'ScreenedSend(send)\ncast("ScreenedText", text)\ncast(ScreenedSend, send)\ncast("Send", send)\n'

    assert _makes(Source("planted.py", planted)) == [1, 2, 3]
