"""A fault point kills at the passing it is armed for, and does nothing otherwise."""

import signal
import subprocess
import sys

import pytest

from chatsdk_runtime.fault_points import FaultPoints

SCRIPT = """
from chatsdk_runtime.fault_points import FaultPoints
points = FaultPoints.parse("a.b:3")
for number in range(5):
    points.reached("other")
    points.reached("a.b")
    print(number, flush=True)
"""


def test_an_armed_point_kills_at_its_passing() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "0\n1\n"


def test_points_that_are_not_armed_do_nothing() -> None:
    FaultPoints().reached("a.b")
    FaultPoints.parse("").reached("a.b")
    FaultPoints.parse("x:1, y:2").reached("a.b")


@pytest.mark.parametrize("text", ["a", "a:", ":1", "a:0", "a:-1", "a:x"])
def test_a_wrong_entry_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.replace(".", r"\.")):
        FaultPoints.parse(text)
