"""A job as a value: counted, moved, done; and how long it rests after failures."""

from datetime import UTC, datetime

import pytest

from chat_service.jobs.rules import MOST_FAILURES, Job, pause_s
from chatsdk_contracts.ids import AppId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job("j1", AppId("a1"), "erase", NOW)


def test_counts_add_up_and_nothing_is_not_counted() -> None:
    job = JOB.counted(messages=3, votes=0).counted(messages=2, events=1)
    assert job.counts == {"messages": 5, "events": 1}
    assert JOB.counts == {}


def test_a_job_that_is_done_has_nothing_to_go_on_with() -> None:
    job = JOB.at("log", after="x").done(NOW)
    assert (job.is_finished, job.step, job.cursor, job.finished_at) == (True, "log", {}, NOW)
    assert not JOB.at("log").is_finished


@pytest.mark.parametrize(
    ("failures", "expected_s"), [(0, 5.0), (1, 5.0), (2, 10.0), (5, 80.0), (10, 1_800.0), (60, 1_800.0)]
)
def test_pauses_grow_to_half_an_hour(failures: int, expected_s: float) -> None:
    assert pause_s(failures) == expected_s


def test_giving_up_takes_longer_than_most_outages() -> None:
    assert 3_000 < sum(pause_s(failures) for failures in range(1, MOST_FAILURES)) < 7_200
