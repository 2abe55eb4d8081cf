"""SIGKILL at each named place between two effects: what was acknowledged is neither lost nor counted twice."""

import pytest

from tests.fault.loads import Load
from tests.fixtures.services import Stack

POINTS = [
    ("chat", "write.committed", 60),
    ("chat", "relay.numbered", 30),
    ("chat", "relay.published", 30),
    ("webhooks", "plan.committed", 30),
    ("webhooks", "send.done", 60),
    ("metrics", "rollup.committed", 15),
]


@pytest.mark.parametrize(("service", "point", "passing"), POINTS, ids=[point for _, point, _ in POINTS])
async def test_a_kill_at_a_named_point_loses_nothing(
    supervised: Stack, load: Load, service: str, point: str, passing: int
) -> None:
    (process,) = [one for one in supervised.replicas if one.service == service]
    await process.arm(point, passing)
    started = process.starts

    await load.run(seconds=3)

    assert process.starts == started + 1, "the point was not reached, or the service ended for another reason"
