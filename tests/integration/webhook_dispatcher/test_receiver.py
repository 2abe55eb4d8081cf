"""The tests' own receiver, as the process that fault tests trust: what it says it recorded is on the disk."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from chatsdk_runtime.outgoing.exchange import OutgoingRequest, Reply
from tests.fixtures.receiver import find_problem
from tests.fixtures.sending import SECRET, local_sender, make_request


@dataclass(frozen=True)
class Running:
    url: str
    record: Path
    process: asyncio.subprocess.Process

    def recorded(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    record = tmp_path / "received.jsonl"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.fixtures.receiver", "--record", str(record), "--secret", SECRET),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    yield Running(ready["url"], record, process)
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_what_was_answered_is_recorded_even_if_the_receiver_is_killed(running: Running) -> None:
    async with local_sender() as sender:
        bodies = [json.dumps({"id": f"e{number}", "type": "message.new"}).encode() for number in range(50)]
        results = await asyncio.gather(
            *(sender.send(make_request(f"{running.url}/hook", body)) for body in bodies)
        )
        running.process.kill()
        await running.process.wait()

    assert all(isinstance(result, Reply) and result.status == 200 for result in results)
    assert {line["eventId"] for line in running.recorded()} == {f"e{number}" for number in range(50)}
    assert {line["type"] for line in running.recorded()} == {"message.new"}


async def test_what_does_not_verify_is_listed_and_not_recorded(running: Running) -> None:
    good = make_request(running.url)
    forged = OutgoingRequest(url=good.url, headers=good.headers, body=good.body + b" ")
    async with local_sender() as sender, aiohttp.ClientSession() as http:
        await sender.send(forged)
        await sender.send(good)
        listed = await (await http.get(f"{running.url}/received")).json()
        later = await (await http.get(f"{running.url}/received?after=1")).json()

    assert (listed["count"], listed["verified"]) == (2, 1)
    assert [one["problem"] for one in listed["received"]] == ["no signature matches", None]
    assert [one["eventId"] for one in later["received"]] == ["e1"]
    assert len(running.recorded()) == 1


async def test_it_answers_as_told_over_http(running: Running) -> None:
    async with local_sender() as sender, aiohttp.ClientSession() as http:
        script = {"respond": [500, 404], "path": "/a"}
        async with http.post(f"{running.url}/script", json=script) as told:
            assert told.status == 200
        results = [
            await sender.send(make_request(f"{running.url}{path}")) for path in ("/b", "/a", "/a", "/a")
        ]

    assert [result.status for result in results] == [200, 500, 404, 200]


def test_a_request_is_verified_against_the_contract() -> None:
    request = make_request("http://127.0.0.1/")
    headers = {name.lower(): value for name, value in request.headers.items()}
    now = int(headers["webhook-timestamp"])
    other = "whsec_" + "B" * 44

    assert find_problem(headers, request.body, [other, SECRET], now=now) is None
    assert find_problem(headers, request.body, [other], now=now) == "no signature matches"
    assert find_problem(headers, b"x", [SECRET], now=now) == "no signature matches"
    assert find_problem(headers, request.body, [SECRET], now=now + 301) == "timestamp out of tolerance"
    assert find_problem({}, request.body, [SECRET], now=now) is not None
    for name in ("webhook-signature", "x-chatsdk-signature"):
        assert (
            find_problem(headers | {name: "wrong"}, request.body, [SECRET], now=now) == "no signature matches"
        )
