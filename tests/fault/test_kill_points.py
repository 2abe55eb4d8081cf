"""SIGKILL at each named place between two effects: what was acknowledged is neither lost nor counted twice."""

import pytest

from tests.fault.loads import Load
from tests.fixtures.services import Stack

# On a busy machine batches are large and few, so that the numbers of passings are small.
POINTS = [
    ("chat", "write.committed", 20),
    ("chat", "relay.numbered", 10),
    ("chat", "relay.published", 10),
    ("webhooks", "plan.committed", 10),
    ("webhooks", "send.done", 50),
    ("metrics", "rollup.committed", 8),
]


@pytest.mark.parametrize(("service", "point", "passing"), POINTS, ids=[point for _, point, _ in POINTS])
async def test_a_kill_at_a_named_point_loses_nothing(
    supervised: Stack, load: Load, service: str, point: str, passing: int
) -> None:
    (process,) = [one for one in supervised.replicas if one.service == service]
    await process.arm(point, passing)
    started = process.starts
    try:
        await load.run(seconds=3)
        assert process.starts == started + 1, "the point was not reached, or it ended for another reason"
    finally:
        await process.disarm()
