"""What the operator's command reports and ends with."""

from __future__ import annotations


class OperatorProblem(Exception):
    """The command cannot do what was asked; the text says why."""
