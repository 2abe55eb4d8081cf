"""The rows of the table: what was measured, what it is compared with, and the goal."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line. `met` is None where a row only informs. `processes` says which processes ran."""

    name: str
    value: str
    yardstick: str = "-"
    ratio: float | None = None
    goal: str = "-"
    met: bool | None = None
    processes: str = ""


def median(values: Sequence[float]) -> float:
    """The middle of the runs."""
    return statistics.median(values)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` (0..1) of the ordered values do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def render(rows: Sequence[Row]) -> str:
    """The table as text."""
    head = ("row", "value", "yardstick", "ratio", "goal", "met")
    body = [
        (
            row.name,
            row.value,
            row.yardstick,
            "-" if row.ratio is None else f"{row.ratio:.2f}",
            row.goal,
            {None: "-", True: "yes", False: "NO"}[row.met],
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *body]
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def write(rows: Sequence[Row], file: Path) -> None:
    """The same for programs."""
    file.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", "utf-8")
