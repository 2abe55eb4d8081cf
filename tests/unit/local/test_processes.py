"""Only processes that we started are ever signalled: a pid that is used again is another process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import processes
from tests.waiting import wait_for_sync

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "some.log"


@pytest.fixture
def sleeper(tmp_path: Path, log: Path) -> Iterator[processes.Identity]:
    identity = _launch(SLEEPER, tmp_path, log)
    yield identity
    processes.stop(identity, signals=[], grace_s=5)


def _launch(command: list[str], tmp_path: Path, log: Path) -> processes.Identity:
    environment = os.environ | {processes.TAG: str(tmp_path)}
    child = processes.launch(command, log=log, environment=environment, directory=tmp_path)
    identity = processes.identity_of(child.pid)
    assert identity is not None
    wait_for_sync(lambda: "up" in log.read_text(), what="the process to run")
    return identity


def test_a_recorded_process_is_found_as_long_as_it_runs(sleeper: processes.Identity, tmp_path: Path) -> None:
    record = tmp_path / "sleeper.pid"
    processes.record(record, sleeper)
    assert processes.recorded(record) == sleeper

    processes.stop(sleeper, signals=[signal.SIGTERM], grace_s=5)

    assert processes.recorded(record) is None


def test_a_pid_that_was_used_again_is_another_process(sleeper: processes.Identity, tmp_path: Path) -> None:
    before = replace(sleeper, started=sleeper.started - 1)
    record = tmp_path / "sleeper.pid"
    processes.record(record, before)

    processes.stop(before, signals=[signal.SIGTERM], grace_s=5)

    assert processes.recorded(record) is None
    assert processes.is_alive(sleeper)


def test_a_pid_from_before_a_reboot_is_another_process(sleeper: processes.Identity) -> None:
    assert not processes.is_alive(replace(sleeper, boot="another boot"))


@pytest.mark.parametrize("text", ["", "{}", "12", '{"pid": 1}', "no json"])
def test_a_damaged_record_is_no_process(tmp_path: Path, text: str) -> None:
    record = tmp_path / "some.pid"
    record.write_text(text)

    assert processes.recorded(record) is None


def test_a_record_can_be_read_by_its_owner_only(sleeper: processes.Identity, tmp_path: Path) -> None:
    record = tmp_path / "sleeper.pid"

    processes.record(record, sleeper)

    assert record.stat().st_mode & 0o777 == 0o600


def test_a_process_that_waits_to_be_reaped_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])

    wait_for_sync(lambda: processes.identity_of(child.pid) is None, what="the end")

    assert child.wait() == 0


def test_who_ignores_sigterm_is_killed(tmp_path: Path, log: Path) -> None:
    stubborn = _launch(STUBBORN, tmp_path, log)

    processes.stop(stubborn, signals=[signal.SIGTERM], grace_s=0.2)

    assert not processes.is_alive(stubborn)


def test_a_process_outlives_its_terminal_in_a_session_of_its_own(sleeper: processes.Identity) -> None:
    assert os.getsid(sleeper.pid) == sleeper.pid


def test_a_process_whose_record_is_lost_is_found_by_its_tag_and_by_its_directory(
    sleeper: processes.Identity, tmp_path: Path
) -> None:
    assert processes.tagged(tmp_path) == [sleeper]
    assert processes.tagged(tmp_path / "other") == []
    assert processes.working_in(tmp_path) == [sleeper]


def test_a_log_that_grew_too_long_is_put_aside(log: Path) -> None:
    log.parent.mkdir()
    log.write_text("x" * 11)

    with log.open("a") as writer:
        processes.rotate(log, limit=10)
        writer.write("new")

    assert log.read_text() == "new"
    assert log.with_name("some.log.1").read_text() == "x" * 11


def test_the_tail_of_a_log_is_its_last_lines_and_a_missing_log_is_said(log: Path) -> None:
    log.parent.mkdir()
    log.write_text("one\ntwo\nthree\n")

    assert processes.tail(log, lines=2) == "    two\n    three"
    assert "no log" in processes.tail(log.with_name("absent.log"))
