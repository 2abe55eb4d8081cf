"""`make run` and `make stop` as a stranger meets them: a fresh clone in an awkward place, nothing set up.

The clone's path has spaces and some two hundred characters, and the default ports are taken. The tests are one
story in their order: first start (tests/fixtures/first_start.py), start again, a killed service, everything killed, stop.
"""

import json
import os
import re
import signal
import subprocess
import time

import asyncpg
import pytest

from deploy.local import processes
from deploy.local.loopback import call
from deploy.local.services import PREFERRED_PORTS, tag_of_programs
from tests.fixtures.first_start import Clone
from tests.waiting import wait_for_sync

NO_PROXY_THERE = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}


def _banner_lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if re.match(r"curl |TOKEN=", line)]


def test_the_first_start_ends_in_a_proof_and_its_times(first_start: str) -> None:
    assert re.search(r"^Proof: message \S+ was stored.* \d+ ms after its commit", first_start, re.MULTILINE)
    assert re.search(r"^Time: .*PostgreSQL [\d.]+ s.*; in all [\d.]+ s\.$", first_start, re.MULTILINE)


def test_the_stack_file_names_the_very_processes_that_serve(clone: Clone, first_start: str) -> None:
    stack = clone.stack()

    assert clone.layout.stack_file.stat().st_mode & 0o777 == 0o600
    for service in ("chat", "webhookDispatcher", "metrics"):
        assert processes.identity_of(stack[service]["pid"]) is not None
        assert call("GET", f"{stack[service]['opsUrl']}/ready").status == 200
        assert call("GET", f"{stack[service]['url']}/ready").status == 200
        assert int(stack[service]["url"].rpartition(":")[2]) not in PREFERRED_PORTS.values()
    received = call("GET", f"{stack['demoReceiver']['url']}/received").body
    assert [entry["type"] for entry in received["received"] if entry["verified"]] == ["message.new"]


async def test_no_role_can_connect_to_the_database_of_another(clone: Clone, first_start: str) -> None:
    databases: dict[str, str] = clone.stack()["postgres"]["databases"]
    names = {service: url.rpartition("/")[2] for service, url in databases.items()}

    for service, url in databases.items():
        await (await asyncpg.connect(url)).close()
        for other in set(names) - {service}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(url.rpartition("/")[0] + f"/{names[other]}")


def test_the_banners_lines_work_when_pasted(clone: Clone, first_start: str) -> None:
    lines = _banner_lines(first_start)
    receiver = clone.stack()["demoReceiver"]["url"]
    before = call("GET", f"{receiver}/received").body["count"]

    pasted = subprocess.run(
        ["/bin/sh", "-e"], input="\n".join(lines[:2]), capture_output=True, text=True, check=True
    )

    assert json.loads(pasted.stdout)["text"] == "hello"
    wait_for_sync(
        lambda: call("GET", f"{receiver}/received").body["count"] > before,
        within_s=10,
        what="the pasted message",
    )
    rest = subprocess.run(
        ["/bin/sh", "-e"], input="\n".join(lines[2:]), capture_output=True, text=True, check=True
    )
    assert '"success":true' in rest.stdout.replace(" ", "")
    assert "chatsdk_messages_total{" in rest.stdout


@pytest.mark.timeout(120)
def test_a_second_start_adopts_the_servers_behind_a_proxy_that_is_away(
    clone: Clone, first_start: str
) -> None:
    servers, app = clone.server_pids(), clone.stack()["app"]

    done = clone.make("run", **NO_PROXY_THERE)

    assert done.returncode == 0, done.stdout + done.stderr
    assert clone.server_pids() == servers
    assert clone.stack()["app"] == app
    assert "pip" not in done.stdout


def test_a_killed_service_is_back_within_five_seconds_at_its_address(clone: Clone, first_start: str) -> None:
    before = clone.stack()["chat"]

    os.kill(before["pid"], signal.SIGKILL)
    began = time.monotonic()
    wait_for_sync(lambda: clone.stack()["chat"]["pid"] != before["pid"], within_s=5, what="the new pid")

    assert time.monotonic() - began < 5
    assert clone.stack()["chat"] == before | {"pid": clone.stack()["chat"]["pid"]}
    wait_for_sync(lambda: call("GET", f"{before['url']}/ready").status == 200, within_s=20, what="chat")


@pytest.mark.timeout(120)
def test_it_starts_again_after_everything_was_killed(clone: Clone, first_start: str) -> None:
    for record in clone.layout.pids.iterdir():
        identity = processes.recorded(record)
        if identity is not None:
            os.kill(identity.pid, signal.SIGKILL)

    done = clone.make("run")

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Proof: ", done.stdout, re.MULTILINE)


def test_stop_ends_every_process_and_takes_the_stack_file_away(clone: Clone, first_start: str) -> None:
    done = clone.make("stop")

    assert done.returncode == 0, done.stdout + done.stderr
    assert not clone.layout.stack_file.exists()
    assert processes.tagged(clone.layout.state) == []
    assert processes.tagged(tag_of_programs(clone.layout)) == []
    assert processes.working_in(clone.layout.state / "postgres" / "data") == []
